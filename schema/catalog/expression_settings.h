#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"

namespace pgsluice::schema {

/// Settings that the values of users' expressions may depend on (generated columns, CHECKs, partition keys, index keys,
/// materialized views), as a database gives them to its users: time zone, date style and the like, and every setting of
/// two names, which functions may ask for. By name.
///
/// pgsluice's own settings (pg/session_settings.h) govern how values travel between the servers. Expressions that the
/// target evaluates while it is loaded must see what they see on the source, so the target's sessions get these.
using ExpressionSettings = std::map<std::string, std::string, std::less<>>;

/// True for the name of such a setting, in the spelling of pg_settings; not for search_path, of which a restore has its
/// own.
bool may_matter_to_expressions(std::string_view name);

/// Reads what ALTER DATABASE, ALTER ROLE ALL and the server's configuration give to users of the session's database,
/// whatever the session itself has set, and without what the session's own role has (as far as that can be told).
/// Throws Error(kServer).
ExpressionSettings read_expression_settings(pg::Connection& connection);

/// The search path that the database gives to its users, read in the same way.
std::string read_search_path(pg::Connection& connection);

/// SET LOCAL for such a search path.
std::string search_path_sql(const std::string& search_path);

/// The names of those that the database itself sets (ALTER DATABASE), which a clone makes on the target too.
std::set<std::string> names_of_database_settings(pg::Connection& connection);

/// Makes them a session's own. Returns the names of those that the server refuses, which keep its own value: a locale
/// that its machine does not have, a parameter of an extension for superusers. Throws Error(kConnection).
std::vector<std::string> apply_expression_settings(pg::Connection& connection, const ExpressionSettings& settings);

/// The settings whose values differ in meaning, as "TimeZone is Asia/Tokyo on the source, UTC on the target".
/// Other spellings of one time zone or locale are no difference.
struct ExpressionSettingDifference {
  std::string name;
  std::string source;
  std::string target;
};
std::vector<ExpressionSettingDifference> compare_expression_settings(const ExpressionSettings& source,
                                                                     const ExpressionSettings& target);

/// Settings under which the archive's definitions and COPY's text are read, where the database gives its users another
/// value: SET LOCAL statements, empty where it does not. Constants of type money and arrays with nulls would change
/// otherwise.
std::string settings_for_definition(const ExpressionSettings& settings, std::string_view definition);
enum class CopiedText {
  kNone,       ///< rows cross in binary
  kPlain,      ///< as text
  kWithMoney,  ///< as text, and there may be values of type money among them
};
std::string settings_for_copy(const ExpressionSettings& settings, CopiedText text);

}  // namespace pgsluice::schema
