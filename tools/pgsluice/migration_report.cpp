#include "tools/pgsluice/migration_report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/duration.h"
#include "base/printable.h"
#include "migration/document.h"
#include "migration/progress_estimate.h"
#include "pg/quote.h"
#include "pgsluice/error.h"
#include "pgsluice/migration/store.h"
#include "tools/pgsluice/text_table.h"

namespace pgsluice::tools {

namespace {

// One word of a command line.
std::string for_the_shell(const std::string& text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-";
  if (!text.empty() && text.front() != '-' && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

using migration::DatabaseDetails;
using migration::Migration;
using migration::Validation;
using migration::ValidationState;
using Align = TextTable::Align;

std::string duration_of(const Migration& migration) {
  if (!migration.started) return "";
  const migration::Time end = migration.ended.value_or(std::chrono::system_clock::now());
  // The clock may have been set back since.
  const auto lasted = std::max(end - *migration.started, migration::Time::duration::zero());
  return format_duration(std::chrono::duration_cast<std::chrono::nanoseconds>(lasted));
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + pg::display_name("", name);
  return text;
}

std::string status_of(const Migration& migration) {
  return migration.active() ? fmt::format("{} / {}", to_string(migration.state), to_string(migration.substate))
                            : std::string(to_string(migration.state));
}

// A message of several lines keeps its head's indent.
std::string indented(const std::string& text) { return "  " + printable(text, LineEnds::kKept) + "\n"; }

std::string findings_text(const std::string& head, const std::vector<Validation>& validations) {
  TextTable table({{head}, {"State"}});
  std::string details;
  for (const Validation& validation : validations) {
    table.add({validation.type, std::string(to_string(validation.state()))});
    for (const migration::Finding& finding : validation.findings) {
      if (finding.state == ValidationState::kSucceeded) continue;
      details += indented(fmt::format("{} {}: {}", to_string(finding.state), validation.type, finding.message));
    }
  }
  return table.text() + details;
}

// Differences stand below the table.
std::string verification_of(const DatabaseDetails& database) {
  if (database.verification.empty()) return database.ended ? "not compared" : "";
  if (database.state != migration::DatabaseState::kSucceeded) return "different";
  // Rows of pg_dump's archives are only counted.
  return database.verification.find("equal") != std::string::npos ? "equal" : "counted";
}

std::string database_table(const Migration& migration) {
  TextTable table({{"Database"},
                   {"State"},
                   {"Operation"},
                   {"Tables", Align::kRight},
                   {"Rows", Align::kRight},
                   {"Copied", Align::kRight},
                   {"Verification"}});
  for (const DatabaseDetails& database : migration.details) {
    const std::int64_t all =
        database.completed_tables + database.queued_tables + database.loading_tables + database.errored_tables;
    table.add({pg::display_name("", database.name), std::string(to_string(database.state)), database.operation,
               fmt::format("{}/{}", database.completed_tables, all), std::to_string(database.rows),
               to_string(database.copied), verification_of(database)});
  }
  return table.text();
}

// Returns nothing for the store that a command takes anyway.
std::string store_option(const std::filesystem::path& store) {
  std::error_code failed;
  const bool is_default = std::filesystem::equivalent(store, migration::Store::default_folder(), failed);
  return is_default ? "" : " --store " + for_the_shell(store.string());
}

std::string migration_table(const Migration& migration, const std::filesystem::path& store) {
  std::string text;
  const auto line = [&](std::string_view head, const std::string& value) {
    if (!value.empty()) text += fmt::format("{:<12}{}\n", head, printable(value, LineEnds::kKept));
  };
  line("Name", migration.name);
  line("Status", status_of(migration));
  line("Source",
       migration.source_server + (migration.source_version.empty() ? "" : ", PostgreSQL " + migration.source_version));
  line("Target",
       migration.target_server + (migration.target_version.empty() ? "" : ", PostgreSQL " + migration.target_version));
  line("Started", migration::format_time(migration.started));
  line("Duration", duration_of(migration));
  if (migration.pace != pipeline::Pace()) line("Pace", describe(migration.pace));
  if (migration.paused_since) line("Paused", "since " + migration::format_time(migration.paused_since));
  if (migration.paused_since && migration.snapshot_since) {
    line("Snapshot", fmt::format("held since {}: VACUUM on the source cannot remove what has ended since",
                                 migration::format_time(migration.snapshot_since)));
  }
  line("Error", migration.error);
  const bool can_be_resumed =
      migration.state == migration::State::kFailed || migration.state == migration::State::kValidationFailed;
  if (can_be_resumed) {
    line("To resume", fmt::format("pgsluice migration create --name {} --target {} --properties FILE --resume{}",
                                  migration.name, for_the_shell(migration.target), store_option(store)));
  }
  text += "\n" + database_table(migration);
  for (const DatabaseDetails& database : migration.details) {
    if (!database.message.empty()) text += indented(pg::display_name("", database.name) + ": " + database.message);
  }
  if (migration.validation.started) text += "\n" + validation_text(migration.validation, OutputFormat::kTable);
  if (migration.next_steps.empty()) return text;
  text += "\nLeft for you:\n";
  for (const std::string& step : migration.next_steps) text += indented(step);
  return text;
}

}  // namespace

OutputFormat output_format(const std::string& given) {
  if (given.empty()) return ::isatty(STDOUT_FILENO) == 1 ? OutputFormat::kTable : OutputFormat::kJson;
  if (given == "json") return OutputFormat::kJson;
  if (given == "table") return OutputFormat::kTable;
  if (given == "none") return OutputFormat::kNone;
  Error error(ErrorKind::kUsage, fmt::format("-o {}: must be json, table or none", given));
  constexpr std::array<std::string_view, 5> kOfOthers = {"yaml", "yamlc", "tsv", "jsonc", "text"};
  if (std::find(kOfOthers.begin(), kOfOthers.end(), given) != kOfOthers.end()) {
    error.hint("another program makes that of -o json: 'jq' picks values and prints lines, 'yq -P' prints YAML");
  }
  throw Error(error);
}

std::string migration_text(const Migration& migration, OutputFormat format, const std::filesystem::path& store) {
  if (format == OutputFormat::kNone) return "";
  if (format == OutputFormat::kTable) return migration_table(migration, store);
  return migration::to_text(migration::to_document(migration), 2) + "\n";
}

std::string migrations_text(const std::vector<Migration>& migrations, OutputFormat format) {
  if (format == OutputFormat::kNone) return "";
  if (format == OutputFormat::kJson) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Migration& migration : migrations) list.push_back(migration::to_document(migration));
    return migration::to_text(list, 2) + "\n";
  }
  TextTable table(
      {{"Name"}, {"Status"}, {"Mode"}, {"Databases"}, {"Target"}, {"Duration", Align::kRight}, {"Started"}});
  for (const Migration& migration : migrations) {
    table.add({migration.name, status_of(migration), "Offline", joined(migration.databases), migration.target,
               duration_of(migration), migration::format_time(migration.started)});
  }
  return table.text();
}

std::string validation_text(const migration::ValidationDetails& details, OutputFormat format) {
  if (format == OutputFormat::kNone) return "";
  if (format == OutputFormat::kJson) return migration::to_text(migration::to_document(details), 2) + "\n";
  std::string text = findings_text("Servers", details.server);
  for (const migration::DatabaseValidation& database : details.databases) {
    text += "\n" + findings_text("Database " + pg::display_name("", database.database), database.validations);
  }
  return text;
}

pipeline::ProgressSnapshot progress_of(const Migration& migration) {
  pipeline::ProgressSnapshot all;
  all.phase = to_string(migration.substate);
  if (migration.started) all.elapsed = std::chrono::system_clock::now() - *migration.started;
  for (const DatabaseDetails& database : migration.details) {
    const std::int64_t tables =
        database.completed_tables + database.queued_tables + database.loading_tables + database.errored_tables;
    all.tables_done += static_cast<std::size_t>(database.completed_tables);
    all.tables_total += static_cast<std::size_t>(tables);
    all.rows += database.rows;
    all.copied += database.copied;
    all.pending += database.pending;
    static const std::map<std::string, std::string, std::less<>> kWords = {
        {"MakingDatabase", "making the database"}, {"MigratingData", "copying"}, {"Verifying", "verifying"}};
    const auto word = kWords.find(database.operation);
    const bool runs = database.state == migration::DatabaseState::kInProgress && database.started && !database.ended;
    if (runs) {
      all.running.push_back({.name = fmt::format("{}: {}", pg::display_name("", database.name),
                                                 word == kWords.end() ? database.operation : word->second),
                             .copied = database.copied});
    }
  }
  all.tasks_total = all.tables_total;
  all.tasks_done = all.tables_done;
  all.fraction = migration::fraction_done(migration);
  all.left = migration.time_left;
  all.pace = migration.pace;
  const auto since = [](const std::optional<migration::Time>& time) -> std::optional<std::chrono::nanoseconds> {
    if (!time) return std::nullopt;
    return std::chrono::system_clock::now() - *time;
  };
  all.paused_for = since(migration.paused_since);
  all.snapshot_age = since(migration.snapshot_since);
  return all;
}

}  // namespace pgsluice::tools
