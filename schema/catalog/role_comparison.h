#pragma once

#include <map>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/catalog/beyond_pg_dump.h"

namespace pgsluice::schema {

enum class Roles {
  kOrdinary,  ///< roles that users have created
  kAll,       ///< those of initdb, too
};

/// Attributes of each role as CREATE ROLE spells them: "NOSUPERUSER LOGIN INHERIT …". Roles made by initdb are left
/// out. Throws Error(kServer).
std::map<std::string, std::string> read_role_attributes(pg::Connection& server, Roles which);

/// Compares the source's roles with those of the target: attributes, memberships, and settings for all databases.
/// Ignores passwords, and roles that exist on the target only. Throws Error(kServer).
std::vector<BeyondDifference> compare_roles(pg::Connection& source, pg::Connection& target);

}  // namespace pgsluice::schema
