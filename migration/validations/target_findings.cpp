#include "migration/validations/target_findings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/statvfs.h>

#include <array>

#include "pg/quote.h"
#include "pg/version.h"
#include "pipeline/prepare/session_limits.h"

namespace pgsluice::migration {

namespace {

constexpr double kRoomForGrowth = 1.25;

// The service's, where it has one; pg_settings need not show what a library has added.
std::optional<std::string> allow_list(pg::Connection& target) {
  const pg::Result row = target.execute("SELECT pg_catalog.current_setting('azure.extensions', true)");
  if (row[0].is_null(0)) return std::nullopt;
  return std::string(row[0].text(0));
}

std::int64_t number(pg::Connection& server, const std::string& name) {
  const std::array<std::string, 1> parameters = {name};
  const pg::Result row =
      server.execute("SELECT setting::pg_catalog.int8 FROM pg_catalog.pg_settings WHERE name = $1", parameters);
  return row.empty() ? 0 : row[0].integer(0);
}

// Other sessions may be closed by then, or not.
std::int64_t sessions_of_others(pg::Connection& server) {
  const std::string clients = server.server_version() >= pg::kV10 ? " AND backend_type = 'client backend'" : "";
  return server
      .execute("SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name NOT LIKE 'pgsluice: %'" +
               clients)[0]
      .integer(0);
}

void find_small_limits(pg::Connection& server, std::int64_t needed, const std::string& database,
                       Validation& validation) {
  for (const pipeline::SessionLimit& limit : pipeline::session_limits(server, database)) {
    if (limit.limit >= needed) continue;
    fail(validation, fmt::format("{} of the {}: its CONNECTION LIMIT of {} is less than the {} sessions that the jobs "
                                 "need; {} {}, or use fewer jobs (engine: tableJobs, indexJobs)",
                                 limit.holder, to_string(server.side()), limit.limit, needed, limit.raise, needed));
  }
}

// An extension that only a superuser may make, and that is not there yet. Services have rules of their own for that.
std::optional<std::string> why_not_to_be_made(const TargetContext& context, const std::string& extension) {
  if (is_superuser(context.target) || is_managed(context.target)) return std::nullopt;
  const std::array<std::string, 1> name = {extension};
  if (context.is_there &&
      !context.target.execute("SELECT FROM pg_catalog.pg_extension WHERE extname = $1", name).empty()) {
    return std::nullopt;
  }
  const std::string trusted = context.target.server_version() >= pg::since::kTrustedExtensions ? "v.trusted" : "false";
  const pg::Result version = context.target.execute(
      "SELECT v.superuser AND NOT " + trusted +
          " FROM pg_catalog.pg_available_extensions e JOIN pg_catalog.pg_available_extension_versions v"
          "   ON v.name = e.name AND v.version = e.default_version WHERE e.name = $1",
      name);
  if (version.empty() || !version[0].boolean(0)) return std::nullopt;
  const std::string quoted = pg::quote_identifier(extension);
  return fmt::format(
      "extension {}: only a superuser may make it; {}", pg::display_name("", extension),
      context.is_there
          ? fmt::format("have one run CREATE EXTENSION {} in the target's database before", quoted)
          : "have a superuser make the database and the extension, and clone that database alone, or leave it out "
            "(engine: filters)");
}

}  // namespace

std::optional<std::string> setting_of(pg::Connection& server, const std::string& name) {
  const std::array<std::string, 1> parameters = {name};
  const pg::Result row =
      server.execute("SELECT coalesce(setting, '') FROM pg_catalog.pg_settings WHERE name = $1", parameters);
  if (row.empty()) return std::nullopt;
  return std::string(row[0].text(0));
}

std::set<std::string> items_of(const std::string& list) {
  std::set<std::string> items;
  std::string item;
  for (const char c : list + ",") {
    if (c == ',') {
      if (!item.empty()) items.insert(item);
      item.clear();
    } else if (c != ' ' && c != '"') {
      item += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return items;
}

const std::map<std::string, std::string>& libraries_of_extensions() {
  static const std::map<std::string, std::string> kPreloaded = {
      {"pg_cron", "pg_cron"},       {"pg_hint_plan", "pg_hint_plan"}, {"pg_partman", "pg_partman_bgw"},
      {"pg_prewarm", "pg_prewarm"}, {"pgaudit", "pgaudit"},           {"pg_stat_statements", "pg_stat_statements"},
      {"pglogical", "pglogical"},   {"wal2json", "wal2json"}};
  return kPreloaded;
}

void find_extensions_to_be_allowed(const TargetContext& context, const ExtensionsInUse& used, Validation& validation) {
  const std::optional<std::string> allowed_text = allow_list(context.target);
  const std::set<std::string> allowed = items_of(allowed_text.value_or(""));
  const std::optional<std::string> preloaded_text = setting_of(context.target, "shared_preload_libraries");
  const std::set<std::string> preloaded = items_of(preloaded_text.value_or(""));
  if (!preloaded_text) {
    warn(validation, fmt::format("shared_preload_libraries may not be read by the target's user: GRANT "
                                 "pg_read_all_settings TO {}",
                                 pg::quote_identifier(context.target.user())));
  }
  // Without their library these cannot even be made.
  static const std::set<std::string> kNeedTheirLibrary = {"pg_cron", "pgaudit", "pglogical"};
  for (const auto& [extension, databases] : used) {
    const std::string where = fmt::format("extension {} (in {})", extension, fmt::join(databases, ", "));
    const bool is_built_in = extension == "plpgsql";
    if (allowed_text && !is_built_in && !allowed.contains(extension)) {
      fail(validation,
           fmt::format("{}: not on the target's allow-list; add {} to its server parameter azure.extensions", where,
                       extension));
    }
    const auto library = libraries_of_extensions().find(extension);
    if (library == libraries_of_extensions().end() || !preloaded_text || preloaded.contains(library->second)) continue;
    const std::string text = fmt::format(
        "{}: its library is not preloaded on the target; add {} to shared_preload_libraries and restart the "
        "server",
        where, library->second);
    kNeedTheirLibrary.contains(extension) ? fail(validation, text)
                                          : warn(validation, text + ", before the extension is used");
  }
}

std::optional<std::string> find_extension_trouble(const TargetContext& context, const std::string& extension,
                                                  const std::string& described, Validation& validation) {
  const std::array<std::string, 1> name = {extension};
  const pg::Result there =
      context.target.execute("SELECT default_version FROM pg_catalog.pg_available_extensions WHERE name = $1", name);
  if (there.empty()) {
    fail(validation, fmt::format("{}: not available on the target; install its package there, or leave it out (engine: "
                                 "filters)",
                                 described));
    return std::nullopt;
  }
  if (const auto trouble = why_not_to_be_made(context, extension)) fail(validation, *trouble);
  return there[0].optional_text(0).value_or("");
}

void find_missing_locale(const TargetContext& context, const std::string& what, const std::string& locale,
                         Validation& validation) {
  if (locale.empty() || locale == "C" || locale == "POSIX") return;
  const std::array<std::string, 1> name = {locale};
  const bool is_known =
      context.target
          .execute(
              "SELECT EXISTS (SELECT FROM pg_catalog.pg_collation WHERE $1::text IN "
              "(collcollate::text, collctype::text, collname::text))"
              "    OR EXISTS (SELECT FROM pg_catalog.pg_database WHERE $1::text IN (datcollate::text, "
              "datctype::text))",
              name)[0]
          .boolean(0);
  if (is_known) return;
  warn(validation, fmt::format("the database's {} is {}, which the target may not have: its locale has to be installed "
                               "on the target's machine",
                               what, locale));
}

void find_missing_sessions(const TargetContext& context, pg::Connection& server, Validation& validation) {
  const pipeline::CloneOptions& engine = context.request.engine;
  const std::int64_t needed =
      server.side() == Side::kSource ? engine.table_jobs + 2 : engine.table_jobs + engine.index_jobs + 1;
  const std::int64_t room = number(server, "max_connections") - number(server, "superuser_reserved_connections") -
                            number(server, "reserved_connections");
  if (room < needed) {
    fail(validation,
         fmt::format("max_connections of the {}: {} sessions are needed for the jobs, and there is room for "
                     "{}; raise it, or use fewer jobs (engine: tableJobs, indexJobs)",
                     to_string(server.side()), needed, room));
  } else if (const std::int64_t others = sessions_of_others(server); room - others < needed) {
    warn(validation,
         fmt::format("max_connections of the {}: {} sessions are needed for the jobs, and {} of {} are in use by "
                     "others now; end some of them, or use fewer jobs (engine: tableJobs, indexJobs)",
                     to_string(server.side()), needed, others, room));
  }
  for (const std::string& database : context.request.databases) {
    find_small_limits(server, needed, database, validation);
  }
}

void find_missing_space(const TargetContext& context, Bytes size, Validation& validation) {
  const Bytes needed{static_cast<std::int64_t>(static_cast<double>(size.count) * kRoomForGrowth)};
  // No server tells how much is free, but one of this machine lets it be seen.
  const std::string host = context.target.conninfo().get("host").value_or("/");
  struct statvfs disk {};
  if (host.rfind('/', 0) == 0) {
    const pg::Result folder =
        context.target.execute("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory'");
    if (!folder.empty() && ::statvfs(std::string(folder[0].text(0)).c_str(), &disk) == 0) {
      const Bytes free{static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize)};
      const std::string text = fmt::format("{} are wanted on the target (1.25 times what is migrated), and {} are free",
                                           to_string(needed), to_string(free));
      free.count < needed.count ? fail(validation, text + "; make room before") : note(validation, text);
      return;
    }
  }
  note(validation,
       fmt::format("{} are wanted on the target (1.25 times what is migrated); the server does not tell what is "
                   "free: see to it",
                   to_string(needed)));
}

}  // namespace pgsluice::migration
