#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"

namespace pgsluice::schema {

/// Finds problems that pg_dump does not report and that a copy into this target would run into: types, functions and
/// system view columns missing in the target's release; behaviour that changed between the releases (row OIDs, postfix
/// operators, NOT NULL on inheritance children); data outside any dump (prepared transactions); and event triggers on
/// the target. Covers most of pg_upgrade's checks. Returns one text per problem, with object names and a remedy.
/// Expects an empty search_path on the source. Throws Error(kServer).
std::vector<std::string> foresee(pg::Connection& source, pg::Connection& target);

}  // namespace pgsluice::schema
