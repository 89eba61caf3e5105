#pragma once

#include <string>
#include <vector>

#include "pgsluice/schema/archive.h"
#include "pgsluice/schema/entry_sql.h"

namespace pgsluice::schema {

/// What drops the archive's objects where they are, in an order in which that works: each "DROP … IF EXISTS …;", and
/// nothing else than they (no CASCADE). Schemas and extensions stay, since what is of others may be in them; what is
/// inside a table goes with it.
std::vector<std::string> drop_statements(const Archive& archive, const RestoreOptions& options);

}  // namespace pgsluice::schema
