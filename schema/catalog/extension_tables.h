#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pg/connection.h"

namespace pgsluice::schema {

/// An object on a table that belongs to an extension: an index, a constraint, a trigger, a policy, row-level security,
/// a statistics object, a rule, a comment. CREATE EXTENSION makes the extension's own; pg_dump writes none of those
/// that users have added, and the catalogs do not tell which these are. So what a source has and the target lacks after
/// CREATE EXTENSION is the users'.
struct ExtensionTableObject {
  std::string identity;   ///< "index public.spatial_ref_sys_name": the same on both servers
  std::string statement;  ///< makes it
  /// Name and version of the table's extension: of two versions the scripts may make different objects, which are not
  /// the users' then.
  std::string extension;
};

/// In an order in which they can be made. Throws Error(kServer).
std::vector<ExtensionTableObject> read_extension_table_objects(pg::Connection& connection);

/// The extension that a table belongs to.
struct OwnerOfTable {
  std::string extension;
  /// The rows that are the user's, as pg_dump dumps them: "WHERE …", "" for all. nullopt where the extension has not
  /// registered the table as configuration.
  std::optional<std::string> condition;
};

/// Returns nullopt for a table that belongs to no extension, or is not there. Throws Error(kServer).
std::optional<OwnerOfTable> find_owner_of_table(pg::Connection& connection, const std::string& schema,
                                                const std::string& table);

/// Like the above, for all tables that belong to extensions, by schema and name: one query.
std::map<std::pair<std::string, std::string>, OwnerOfTable> read_owners_of_tables(pg::Connection& connection);

/// "postgis 3.3.2" for each extension of the database. Throws Error(kServer).
std::set<std::string> read_extension_versions(pg::Connection& connection);

}  // namespace pgsluice::schema
