#include "migration/outcome.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "migration/remedies.h"
#include "pgsluice/error.h"

namespace pgsluice::migration {

namespace {

std::string first_failed(const std::vector<Validation>& validations) {
  for (const Validation& validation : validations) {
    for (const Finding& finding : validation.findings) {
      if (finding.state == ValidationState::kFailed) return fmt::format("{}: {}", validation.type, finding.message);
    }
  }
  return "";
}

}  // namespace

void take_progress(const pipeline::ProgressSnapshot& progress, double copys_part, DatabaseDetails& details) {
  details.fraction = std::max(details.fraction, progress.fraction * copys_part);
  details.completed_tables = static_cast<std::int64_t>(progress.tables_done);
  details.loading_tables = static_cast<std::int64_t>(progress.tables_running);
  details.queued_tables =
      std::max<std::int64_t>(static_cast<std::int64_t>(progress.tables_total) - details.completed_tables -
                                 details.loading_tables - details.errored_tables,
                             0);
  details.copied = progress.copied;
  details.pending = progress.pending;
  details.rows = progress.rows;
}

std::vector<std::string> next_steps(const Migration& migration, const pipeline::ServerSummary& summary) {
  std::vector<std::string> steps;
  const bool all_there = std::all_of(migration.details.begin(), migration.details.end(),
                                     [](const auto& details) { return details.state == DatabaseState::kSucceeded; });
  if (all_there) {
    steps.push_back(fmt::format("connection strings: point the applications of {} at {}",
                                fmt::join(migration.databases, ", "),
                                migration.target_server.substr(0, migration.target_server.find('@'))));
  }
  steps.emplace_back(migration.source_type == "Archive"
                         ? "server parameters: they are not copied, and an archive does not have those of its server"
                         : "server parameters: they are not copied; ServerParametersValidation shows which differ and "
                           "the line that sets each");
  steps.emplace_back(migration.roles
                         ? "roles: they were copied, but for those that were there, which stay as they were, with "
                           "their passwords; superusers' attributes and what only a superuser may read or give have to "
                           "be looked at by hand; a target's user that is no superuser is a member of the roles that "
                           "were made now: REVOKE that when it is not needed any more"
                         : "roles: they were not copied (MigrateRoles false); log in as each user once");
  for (const Error& error : summary.roles_failed) steps.push_back("role: " + describe(error));
  for (const std::string& warning : summary.warnings) steps.push_back(warning);
  for (const pipeline::DatabaseResult& database : summary.databases) {
    for (const std::string& skipped : database.summary.skipped) {
      steps.push_back(fmt::format("{}: not done as such: {}", database.name, skipped));
    }
    for (const std::string& warning : database.summary.warnings) {
      steps.push_back(fmt::format("{}: {}", database.name, warning));
    }
  }
  return steps;
}

std::string describe_missing(const pipeline::CloneSummary& summary) {
  constexpr std::size_t kMaxNamed = 5;
  std::vector<std::string> missing;
  for (const pipeline::FailedObject& object : summary.failed) missing.push_back(describe(object.error));
  for (const pipeline::LeftOutObject& object : summary.left_out) {
    missing.push_back(fmt::format("{}: not tried, since something that it needs has failed", object.name));
  }
  const std::size_t all = missing.size();
  missing.resize(std::min(all, kMaxNamed));
  std::string text = fmt::format("{} object{} missing: {}", all, all == 1 ? " is" : "s are", fmt::join(missing, " | "));
  if (all > kMaxNamed) text += fmt::format(" | and {} more, in the worker's log", all - kMaxNamed);
  return text + "; mend what these name, then resume the migration to make what is missing";
}

std::optional<Error> record_obstacles(Migration& migration, const std::set<std::string>& on_source,
                                      const std::map<std::string, DatabaseId>& on_target) {
  std::optional<Error> obstacle;
  const auto refuse = [&](DatabaseDetails& details, Side side, const char* what, const char* hint) {
    const Error error = Error(ErrorKind::kState, what).on(side).hint(hint);
    details.message = describe(error);
    if (!obstacle) obstacle = Error(ErrorKind::kState, fmt::format("{}: {}", details.name, details.message));
  };
  for (DatabaseDetails& details : migration.details) {
    if (is_own_name(details.name)) {
      refuse(details, Side::kSource, "a migration gives such names to databases of its own",
             "rename the database on the source, or leave it out of DBsToMigrate");
    } else if (!on_source.contains(details.name)) {
      refuse(
          details, Side::kSource, "there is no such database",
          "DBsToMigrate names databases as the source has them, in their case, and no templates; nothing was changed");
    } else if (on_target.contains(details.name) && !details.made && migration.overwrite == Overwrite::kNo) {
      refuse(details, Side::kTarget, "there is a database of that name already",
             "with OverwriteDBsInTarget true it is dropped and made again; nothing was changed");
    }
  }
  return obstacle;
}

std::string record_failed_validations(Migration& migration) {
  std::string first = first_failed(migration.validation.server);
  if (!first.empty()) first.insert(0, "servers: ");
  for (const DatabaseValidation& database : migration.validation.databases) {
    const std::string failed = first_failed(database.validations);
    for (DatabaseDetails& details : migration.details) {
      if (details.name == database.database) details.message = failed;
    }
    if (first.empty() && !failed.empty()) first = fmt::format("{}: {}", database.database, failed);
  }
  return first;
}

}  // namespace pgsluice::migration
