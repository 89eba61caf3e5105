#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/acl.h"
#include "schema/archive/entry_sql.h"

namespace pgsluice::schema {

/// Properties of a database that keep applications away, as in a maintenance window, and comes along with a copy:
/// each with the statement that undoes it on the target. Throws Error(kServer).
std::vector<std::string> read_freezes(pg::Connection& source, std::string_view target_database);

/// One property of the database itself: what it is, and the statement that gives it to a database of the target's name.
struct DatabaseProperty {
  std::string description;
  std::string statement;
  /// Only for privileges: who has granted some of them and is out of reach (acl.h).
  RoleNames grantors_left_out = {};
};

/// Owner, connection limit, template flag, comment, security labels, settings of the database and of roles in it, ACL,
/// in the order in which they are to be applied. The archive has them under the source's name; they are read from the
/// catalog, so that they fit a target of another name. Throws Error(kServer).
std::vector<DatabaseProperty> read_database_properties(pg::Connection& source, std::string_view target_database,
                                                       const RestoreOptions& options);

/// Dropping the schema public, which a new database has, where the source has none and the target's is empty and may be
/// dropped. Throws Error(kServer).
std::optional<DatabaseProperty> drop_of_public_schema(pg::Connection& source, pg::Connection& target);

}  // namespace pgsluice::schema
