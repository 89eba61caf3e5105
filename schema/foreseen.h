#pragma once

#include <string>
#include <vector>

#include "pgsluice/pg/connection.h"

namespace pgsluice::schema {

/// What a copy into this target would lose, or stumble over, and pg_dump says nothing of: types, functions and columns
/// of system views that the target's release has no more, what it does otherwise (OIDs of rows, postfix operators,
/// NOT NULL of children), what a dump does not hold (prepared transactions) and what is on the target (event triggers).
/// pg_upgrade looks for much of the same. One text for each, with the objects' names and what to do. The source's
/// search path is empty. Throws Error(kServer).
std::vector<std::string> foresee(pg::Connection& source, pg::Connection& target);

}  // namespace pgsluice::schema
