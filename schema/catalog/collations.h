#pragma once

#include "pg/connection.h"

namespace pgsluice::schema {

/// True if rows sort on the target as on the source, as far as the keys of range partitions are concerned: the locale
/// and its version are the same for each collation that such a key has. Where they are not, or the version is not known
/// (before 15), a row may belong to another partition on the target. "C" sorts alike everywhere.
/// Throws Error(kServer).
bool partition_keys_sort_alike(pg::Connection& source, pg::Connection& target);

}  // namespace pgsluice::schema
