#include "schema/catalog/expression_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <set>

#include "pg/quote.h"
#include "pgsluice/error.h"

namespace pgsluice::schema {

namespace {

// Parameters of the server itself, in the spelling of pg_settings; of these a session may set each.
constexpr std::array<std::string_view, 17> kBuiltIn = {"DateStyle",
                                                       "IntervalStyle",
                                                       "TimeZone",
                                                       "array_nulls",
                                                       "backslash_quote",
                                                       "bytea_output",
                                                       "default_text_search_config",
                                                       "extra_float_digits",
                                                       "lc_monetary",
                                                       "lc_numeric",
                                                       "lc_time",
                                                       "quote_all_identifiers",
                                                       "search_path",
                                                       "timezone_abbreviations",
                                                       "transform_null_equals",
                                                       "xmlbinary",
                                                       "xmloption"};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return result;
}

// Names in pg_db_role_setting are written as the user has written them.
std::optional<std::string> known_name(std::string_view name) {
  if (name.find('.') != std::string_view::npos) return std::string(name);
  const auto* found = std::find_if(kBuiltIn.begin(), kBuiltIn.end(),
                                   [&](std::string_view known) { return lower(known) == lower(name); });
  return found == kBuiltIn.end() ? std::nullopt : std::optional<std::string>(*found);
}

std::string literals_of_built_in() {
  std::string result;
  for (const std::string_view name : kBuiltIn) result += (result.empty() ? "" : ", ") + pg::quote_literal(name);
  return result;
}

constexpr int kBuiltInDefault = 8;
constexpr int kOfOwnRole = 9;

// Rank of a row: 0 the server's, 1 of all roles, 2 of the database, 8 what a server has that says nothing, and 9 for
// what only this session's role has.
std::string settings_sql() {
  return fmt::format(R"(
SELECT 0 AS rank, name, reset_val FROM pg_catalog.pg_settings WHERE name IN ({0})
UNION ALL
SELECT {1}, name, boot_val FROM pg_catalog.pg_settings WHERE name IN ({0})
UNION ALL
SELECT CASE WHEN s.setrole <> 0 THEN {2} WHEN s.setdatabase = 0 THEN 1 ELSE 2 END,
       pg_catalog.split_part(c, '=', 1), pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1)
  FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c
 WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
   AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))
 ORDER BY rank)",
                     literals_of_built_in(), kBuiltInDefault, kOfOwnRole);
}

// The configuration file's values, for those who may read it.
std::map<std::string, std::string> read_configured(pg::Connection& connection) {
  std::map<std::string, std::string> values;
  const pg::Result may = connection.execute(
      "SELECT coalesce(pg_catalog.has_function_privilege("
      "pg_catalog.to_regprocedure('pg_catalog.pg_show_all_file_settings()'), 'EXECUTE'), false)");
  if (!may[0].boolean(0)) return values;
  for (const pg::Row row : connection.execute("SELECT name, setting FROM pg_catalog.pg_file_settings WHERE applied")) {
    if (const auto name = known_name(row.text(0))) values[*name] = row.optional_text(1).value_or("");
  }
  return values;
}

}  // namespace

namespace {

constexpr std::string_view kSearchPath = "search_path";

ExpressionSettings read_settings(pg::Connection& connection) {
  ExpressionSettings settings;
  std::set<std::string> of_database;
  std::set<std::string> of_role;
  std::map<std::string, std::string> defaults;
  for (const pg::Row row : connection.execute(settings_sql())) {
    const std::optional<std::string> name = known_name(row.text(1));
    if (!name) continue;
    if (row.integer(0) == kOfOwnRole) {
      of_role.insert(*name);
      continue;
    }
    if (row.integer(0) == kBuiltInDefault) {
      defaults[*name] = row.optional_text(2).value_or("");
      continue;
    }
    settings[*name] = row.text(2);
    if (row.integer(0) > 0) of_database.insert(*name);
  }
  std::erase_if(of_role, [&](const std::string& name) { return of_database.contains(name); });
  if (of_role.empty()) return settings;
  const std::map<std::string, std::string> configured = read_configured(connection);
  for (const std::string& name : of_role) {
    // Few users may read the configuration file. Otherwise assume the built-in default: a server rarely configures the
    // same setting that a role overrides.
    if (const auto found = configured.find(name); found != configured.end()) {
      settings[name] = found->second;
    } else if (const auto otherwise = defaults.find(name); otherwise != defaults.end()) {
      settings[name] = otherwise->second;
    }
  }
  return settings;
}

}  // namespace

bool may_matter_to_expressions(std::string_view name) {
  return name != kSearchPath && (name.find('.') != std::string_view::npos ||
                                 std::find(kBuiltIn.begin(), kBuiltIn.end(), name) != kBuiltIn.end());
}

ExpressionSettings read_expression_settings(pg::Connection& connection) {
  ExpressionSettings settings = read_settings(connection);
  settings.erase(std::string(kSearchPath));  // of which a restore has its own
  return settings;
}

std::string read_search_path(pg::Connection& connection) { return read_settings(connection)[std::string(kSearchPath)]; }

std::string search_path_sql(const std::string& search_path) {
  return fmt::format("SET LOCAL search_path = {};\n", pg::quote_list(search_path));
}

std::set<std::string> names_of_database_settings(pg::Connection& connection) {
  std::set<std::string> names;
  for (const pg::Row row : connection.execute(settings_sql())) {
    if (row.integer(0) != 2) continue;
    if (const auto name = known_name(row.text(1))) names.insert(*name);
  }
  return names;
}

std::vector<std::string> apply_expression_settings(pg::Connection& connection, const ExpressionSettings& settings) {
  if (settings.empty()) return {};
  const auto set = [](const auto& setting) {
    return fmt::format("pg_catalog.set_config({}, {}, false)", pg::quote_literal(setting.first),
                       pg::quote_literal(setting.second));
  };
  std::string all;
  for (const auto& setting : settings) all += (all.empty() ? "SELECT " : ", ") + set(setting);
  try {
    connection.execute(all);
    return {};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kServer || error.poisons_connection()) throw;
  }
  std::vector<std::string> refused;
  for (const auto& setting : settings) {
    try {
      connection.execute("SELECT " + set(setting));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kServer || error.poisons_connection()) throw;
      refused.push_back(setting.first);
    }
  }
  return refused;
}

namespace {

// One spelling of what is spelled in several ways.
std::string meaning_of(std::string_view name, std::string_view value) {
  const std::string text = lower(value);
  if (name == "TimeZone") {
    constexpr std::array<std::string_view, 8> kUtc = {"utc",     "etc/utc", "gmt",           "etc/gmt",
                                                      "etc/uct", "zulu",    "etc/universal", "universal"};
    return std::find(kUtc.begin(), kUtc.end(), text) == kUtc.end() ? text : "utc";
  }
  if (name.substr(0, 3) != "lc_") return text;
  if (text == "c" || text == "posix" || text.rfind("c.", 0) == 0) return "c";
  std::string result;  // "de_DE.UTF-8" and "de_DE.utf8"
  std::copy_if(text.begin(), text.end(), std::back_inserter(result), [](char c) { return c != '-'; });
  return result;
}

std::string value_of(const ExpressionSettings& settings, std::string_view name) {
  const auto found = settings.find(name);
  return found == settings.end() ? "" : found->second;
}

void add_setting(std::string& sql, const ExpressionSettings& settings, std::string_view name, std::string_view value) {
  const std::string own = value_of(settings, name);
  if (own.empty() || meaning_of(name, own) == meaning_of(name, value)) return;
  sql += fmt::format("SET LOCAL {} = {};\n", name, pg::quote_literal(value));
}

}  // namespace

std::vector<ExpressionSettingDifference> compare_expression_settings(const ExpressionSettings& source,
                                                                     const ExpressionSettings& target) {
  std::vector<ExpressionSettingDifference> differences;
  for (const auto& [name, value] : source) {
    const std::string there = value_of(target, name);
    if (meaning_of(name, value) != meaning_of(name, there)) differences.push_back({name, value, there});
  }
  return differences;
}

std::string settings_for_definition(const ExpressionSettings& settings, std::string_view definition) {
  std::string sql;
  const auto mentions = [&](std::string_view word) { return definition.find(word) != std::string_view::npos; };
  if (mentions("{")) add_setting(sql, settings, "array_nulls", "on");
  if (mentions("TEXT SEARCH")) add_setting(sql, settings, "quote_all_identifiers", "off");
  if (mentions("NULL")) add_setting(sql, settings, "transform_null_equals", "off");
  if (mentions("xml")) add_setting(sql, settings, "xmloption", "content");
  if (mentions("money")) add_setting(sql, settings, "lc_monetary", "C");
  return sql;
}

std::string settings_for_copy(const ExpressionSettings& settings, CopiedText text) {
  std::string sql;
  if (text == CopiedText::kNone) return sql;
  add_setting(sql, settings, "array_nulls", "on");
  add_setting(sql, settings, "xmloption", "content");
  if (text == CopiedText::kWithMoney) add_setting(sql, settings, "lc_monetary", "C");
  return sql;
}

}  // namespace pgsluice::schema
