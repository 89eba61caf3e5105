#pragma once

#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// The OIDs of roles that have privileges, or have granted some, and were dropped: DROP ROLE of an old release, or a
/// hand in the catalogs, has left their privileges. pg_dump writes the number in the place of the name.
std::set<std::string> read_lost_roles(pg::Connection& source);

/// Takes what is granted to them out of the archive; grants that they have made are restored as the owner's, as those
/// of a role out of reach are (RestoreOptions). Returns what was left out, for people.
std::vector<std::string> leave_out_lost_roles(const std::set<std::string>& lost, Archive& archive);

}  // namespace pgsluice::schema
