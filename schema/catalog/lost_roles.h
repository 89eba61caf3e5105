#pragma once

#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// The OIDs of roles that have privileges, or have granted some, and are no more: DROP ROLE of an old release, or by
/// hand, has left them. pg_dump writes the number in the place of the name.
std::set<std::string> read_lost_roles(pg::Connection& source);

/// Takes what is granted to them out of the archive; what they have granted to others comes from the owner, as for a
/// role out of reach (RestoreOptions). Returns what was left out, for people.
std::vector<std::string> leave_out_lost_roles(const std::set<std::string>& lost, Archive& archive);

}  // namespace pgsluice::schema
