#pragma once

#include <map>
#include <string>
#include <vector>

#include "pgsluice/pg/connection.h"
#include "pgsluice/schema/beyond_pg_dump.h"

namespace pgsluice::schema {

/// What a server's roles may do, in the words of CREATE ROLE, by role: "NOSUPERUSER LOGIN INHERIT …". Without those
/// that initdb has made. Throws Error(kServer).
std::map<std::string, std::string> read_role_attributes(pg::Connection& server);

/// What the target's roles lack, or have in another way, of the source's: roles, their attributes, their memberships,
/// and the settings that they have in every database. Passwords are not looked at, nor roles that only the target has.
std::vector<BeyondDifference> compare_roles(pg::Connection& source, pg::Connection& target);

}  // namespace pgsluice::schema
