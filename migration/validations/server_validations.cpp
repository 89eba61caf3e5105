// SourceVersionValidation and ServerParametersValidation.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "migration/validations/target_findings.h"
#include "migration/verification.h"
#include "pg/quote.h"
#include "pg/version.h"
#include "pgsluice/bytes.h"
#include "pipeline/prepare/lock_need.h"
#include "pipeline/prepare/session_limits.h"
#include "pipeline/prepare/sessions.h"
#include "schema/archive/pg_dump.h"

namespace pgsluice::migration {

namespace {

constexpr int kOldestSource = pg::kV9_5;
constexpr std::int64_t kMuchAge = 1'500'000'000;
constexpr std::int64_t kTooMuchAge = 2'000'000'000;

struct Parameter {
  std::string value;
  std::string shown;  ///< with its unit
  bool is_default = true;
};

// Settings that may give the same SQL another meaning.
const std::set<std::string, std::less<>> kMeaning = {"DateStyle",
                                                     "IntervalStyle",
                                                     "TimeZone",
                                                     "array_nulls",
                                                     "backslash_quote",
                                                     "bytea_output",
                                                     "check_function_bodies",
                                                     "default_text_search_config",
                                                     "default_transaction_isolation",
                                                     "default_transaction_read_only",
                                                     "escape_string_warning",
                                                     "extra_float_digits",
                                                     "lc_monetary",
                                                     "lc_numeric",
                                                     "lc_time",
                                                     "lo_compat_privileges",
                                                     "quote_all_identifiers",
                                                     "row_security",
                                                     "search_path",
                                                     "standard_conforming_strings",
                                                     "synchronize_seqscans",
                                                     "transform_null_equals",
                                                     "xmlbinary",
                                                     "xmloption"};

// Settings of a machine or of our own sessions, which say nothing of the databases.
bool is_of_the_machine(const std::string& name) {
  static const std::set<std::string, std::less<>> kNames = {"application_name",
                                                            "bonjour",
                                                            "bonjour_name",
                                                            "client_encoding",
                                                            "client_min_messages",
                                                            "cluster_name",
                                                            "config_file",
                                                            "data_directory",
                                                            "event_source",
                                                            "external_pid_file",
                                                            "hba_file",
                                                            "ident_file",
                                                            "krb_server_keyfile",
                                                            "lc_messages",
                                                            "listen_addresses",
                                                            "port",
                                                            "restore_command",
                                                            "archive_command",
                                                            "promote_trigger_file",
                                                            "recovery_target_timeline",
                                                            "primary_conninfo",
                                                            "primary_slot_name",
                                                            "stats_temp_directory",
                                                            "temp_tablespaces",
                                                            "default_tablespace",
                                                            "unix_socket_directories",
                                                            "unix_socket_group",
                                                            "unix_socket_permissions",
                                                            "role",
                                                            "session_authorization",
                                                            "dynamic_shared_memory_type",
                                                            "fsync",
                                                            "full_page_writes"};
  return kNames.contains(name) || name.rfind("log_", 0) == 0 || name.rfind("logging_", 0) == 0 ||
         name.rfind("ssl", 0) == 0 || name.rfind("syslog", 0) == 0 || name.rfind("krb_", 0) == 0 ||
         name.rfind("recovery_", 0) == 0 || name.rfind("azure.", 0) == 0;
}

// "64 MB" for 65536 kB.
std::string with_unit(const std::string& value, const std::string& unit) {
  static const std::map<std::string, std::int64_t> kBytes = {
      {"B", 1},      {"kB", 1024},        {"8kB", 8192},      {"16kB", 16384}, {"64kB", 65536},
      {"4kB", 4096}, {"MB", 1024 * 1024}, {"16MB", 16 << 20}, {"GB", 1 << 30}};
  const auto bytes = kBytes.find(unit);
  if (bytes == kBytes.end() || value.rfind('-', 0) == 0 || value.empty()) {
    return unit.empty() ? value : fmt::format("{} {}", value, unit);
  }
  return to_string(Bytes{std::stoll(value) * bytes->second});
}

// The server's own, whatever this session has set: reset_val is what a new session gets. Not those that its database or
// its user has otherwise: a clone takes these along, and the server's are not to be seen.
std::map<std::string, Parameter> read_parameters(pg::Connection& server) {
  std::map<std::string, Parameter> parameters;
  for (const pg::Row row :
       server.execute("SELECT name, coalesce(reset_val, ''), coalesce(unit, ''),"
                      "       coalesce(reset_val, '') IS NOT DISTINCT FROM coalesce(boot_val, '')"
                      "  FROM pg_catalog.pg_settings WHERE context <> 'internal' AND lower(name) NOT IN"
                      "  (SELECT lower(split_part(c, '=', 1)) FROM pg_catalog.pg_db_role_setting s,"
                      "    pg_catalog.unnest(s.setconfig) c"
                      "    WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database"
                      "      WHERE datname = pg_catalog.current_database()))"
                      "      AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles"
                      "      WHERE rolname = current_user)))")) {
    const std::string value(row.text(1));
    const std::string unit(row.text(2));
    parameters[std::string(row.text(0))] = {
        .value = value, .shown = with_unit(value, unit), .is_default = row.boolean(3)};
  }
  return parameters;
}

// By extension, which databases have it.
ExtensionsInUse extensions_in_use(const ValidationContext& context) {
  ExtensionsInUse used;
  for (const std::string& database : context.request.databases) {
    try {
      pg::Connection session = pipeline::open_reader(context.source.conninfo().with("dbname", database), "validate",
                                                     "UTF8", context.log, context.cancel);
      for (const pg::Row row : session.execute("SELECT extname FROM pg_catalog.pg_extension")) {
        used[std::string(row.text(0))].insert(pg::display_name("", database));
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kCancelled) throw;
      // The database's own validation says it.
    }
  }
  return used;
}

void validate_extension_lists(const ValidationContext& context, Validation& validation) {
  const ExtensionsInUse used = extensions_in_use(context);
  find_extensions_to_be_allowed(context, used, validation);
  const std::optional<std::string> preloaded = setting_of(context.target, "shared_preload_libraries");
  const std::set<std::string> on_target = items_of(preloaded.value_or(""));
  const std::set<std::string> on_source = items_of(setting_of(context.source, "shared_preload_libraries").value_or(""));
  for (const auto& [extension, library] : libraries_of_extensions()) {
    const bool is_said = on_target.contains(library) || used.contains(extension) || !preloaded;
    if (!on_source.contains(library) || is_said) continue;
    warn(validation, fmt::format("library {}: preloaded on the source and not on the target; add it to "
                                 "shared_preload_libraries and restart the server, if it is needed",
                                 library));
  }
}

std::string or_empty(const std::string& value) { return value.empty() ? "empty" : value; }

std::string how_to_set(const ValidationContext& context, const std::string& name, const std::string& value) {
  if (is_managed(context.target)) return fmt::format("set the server parameter {} to {}", name, value);
  // A list is written as the server shows it: one literal would be one element.
  static const std::set<std::string, std::less<>> kLists = {"search_path",
                                                            "session_preload_libraries",
                                                            "local_preload_libraries",
                                                            "DateStyle",
                                                            "synchronous_standby_names",
                                                            "wal_consistency_checking",
                                                            "createrole_self_grant",
                                                            "debug_io_direct",
                                                            "restrict_nonsystem_relation_kind"};
  const bool is_list = kLists.contains(name) && !value.empty();
  return fmt::format("ALTER SYSTEM SET {} = {};", name, is_list ? value : pg::quote_literal(value));
}

void compare_parameters(const ValidationContext& context, Validation& validation) {
  static const std::set<std::string, std::less<>> kSizes = {
      "max_connections",           "shared_buffers",  "max_worker_processes",  "max_locks_per_transaction",
      "max_prepared_transactions", "max_wal_senders", "max_replication_slots", "max_wal_size"};
  const std::map<std::string, Parameter> source = read_parameters(context.source);
  const std::map<std::string, Parameter> target = read_parameters(context.target);
  for (const auto& [name, here] : source) {
    const auto there = target.find(name);
    const bool is_preload = name == "shared_preload_libraries";
    if (there == target.end() || is_of_the_machine(name) || is_preload || here.value == there->second.value) continue;
    if (kSizes.contains(name)) {
      const bool is_less = std::stoll(there->second.value) < std::stoll(here.value);
      if (!is_less) continue;
      warn(validation, fmt::format("{}: {} on the source, less on the target, {}: {}", name, here.shown,
                                   there->second.shown, how_to_set(context, name, here.value)));
      continue;
    }
    // A setting that neither has set follows from the version.
    if (here.is_default && there->second.is_default && !kMeaning.contains(name)) continue;
    warn(validation, fmt::format("{}{}: {} on the source, {} on the target: {}", name,
                                 kMeaning.contains(name) ? " (changes what SQL does)" : "", or_empty(here.shown),
                                 or_empty(there->second.shown), how_to_set(context, name, here.value)));
  }
}

void validate_room(const ValidationContext& context, Validation& validation) {
  const pipeline::CloneOptions& engine = context.request.engine;
  find_missing_sessions(context, context.source, validation);
  find_missing_sessions(context, context.target, validation);
  for (const std::string& database : context.request.databases) {
    try {
      pg::Connection session = pipeline::open_reader(context.source.conninfo().with("dbname", database), "validate",
                                                     "UTF8", context.log, context.cancel);
      const std::int64_t tables =
          session.execute("SELECT count(*) FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384")[0]
              .integer(0);
      const auto error = pipeline::small_lock_table(context.source, pipeline::lock_need(tables, engine.table_jobs));
      if (!error) continue;
      fail(validation,
           fmt::format("database {}: {}; {}", pg::display_name("", database), error->what(), error->hint()));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kCancelled) throw;
      // The database's own validation says it.
    }
  }
}

void validate_age(const ValidationContext& context, Validation& validation) {
  for (const pg::Row row : context.source.execute(
           "SELECT datname, pg_catalog.age(datfrozenxid) FROM pg_catalog.pg_database WHERE datallowconn")) {
    const std::string name(row.text(0));
    const auto& databases = context.request.databases;
    if (std::find(databases.begin(), databases.end(), name) == databases.end()) continue;
    const std::int64_t age = row.integer(1);
    if (age < kMuchAge) continue;
    const std::string text = fmt::format(
        "database {}: its oldest transaction is {} old, near the wraparound, and the copy's snapshot keeps VACUUM from "
        "going on; VACUUM FREEZE it before",
        pg::display_name("", name), age);
    age < kTooMuchAge ? warn(validation, text) : fail(validation, text);
  }
}

}  // namespace

Validation validate_versions(const ValidationContext& context) {
  Validation validation;
  const int source = context.source.server_version();
  const int target = context.target.server_version();
  if (source < kOldestSource) {
    fail(validation, fmt::format("the source is of version {}: 9.5 is the oldest that can be migrated",
                                 context.source.server_version_text()));
  }
  if (pg::release_of(target) < pg::release_of(source)) {
    fail(validation,
         fmt::format("the target is of version {}, older than the source's {}: choose a target of the same or "
                     "a later version",
                     context.target.server_version_text(), context.source.server_version_text()));
  }
  try {
    const schema::ClientProgram pg_dump =
        schema::find_client_program(context.request.engine.pg_bindir, std::max(source, kOldestSource), context.cancel);
    note(validation, fmt::format("pg_dump {} at {}", pg_dump.version_text, pg_dump.path.string()));
    if (const auto too_old = schema::why_too_old(pg_dump, source)) warn(validation, *too_old);
    const bool compares = context.request.verify && compares_definitions(context.request.engine);
    if (compares && !schema::look_for_client_program(context.request.engine.pg_bindir, target, context.cancel,
                                                     "pg_dump", schema::Elsewhere::kNo)) {
      warn(validation,
           fmt::format("definitions cannot be compared after the copy: that takes a pg_dump of version {} or "
                       "later, as the target is; install PostgreSQL's client programs of that version",
                       target / 10000));
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    fail(validation, fmt::format("{}; {}", error.what(), error.hint()));
  }
  if (validation.state() == ValidationState::kSucceeded) {
    note(validation, fmt::format("source {}, target {}", context.source.server_version_text(),
                                 context.target.server_version_text()));
  }
  return validation;
}

Validation validate_parameters(const ValidationContext& context) {
  Validation validation;
  validate_extension_lists(context, validation);
  validate_room(context, validation);
  validate_age(context, validation);
  compare_parameters(context, validation);
  return validation;
}

}  // namespace pgsluice::migration
