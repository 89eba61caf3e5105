#pragma once

#include <vector>

#include "pg/connection.h"
#include "schema/catalog/beyond_pg_dump.h"

namespace pgsluice::schema {

/// Compares what a database has besides its objects: owner, privileges, comment, security labels, settings for all and
/// for single roles, template flag and connection limit. What freezes the source for a maintenance window
/// (read_freezes()) is no difference, and neither is an owner that the target's user may not give. Throws
/// Error(kServer).
std::vector<BeyondDifference> compare_database_properties(pg::Connection& source, pg::Connection& target);

/// Compares the owners, privileges and comments of large objects that both databases have; the first that differ are
/// named. Owners that the target's user may not give are no difference. Throws Error(kServer).
std::vector<BeyondDifference> compare_large_object_metadata(pg::Connection& source, pg::Connection& target);

}  // namespace pgsluice::schema
