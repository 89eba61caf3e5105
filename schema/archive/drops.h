#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/archive.h"
#include "schema/archive/entry_sql.h"

namespace pgsluice::schema {

struct Drop {
  std::string sql;  ///< "DROP … IF EXISTS …;"
  /// A base type, for SQL, that goes with its own functions by CASCADE, since each needs the other; else empty.
  std::string cascading_type;
  /// A relation, for SQL, without which this is left away; else empty.
  std::string only_with = {};
};

/// Statements that drop the archive's objects if they exist, and no others, in an order in which that works.
/// Schemas and extensions stay, since what is of others may be in them; what is inside a table goes with it.
std::vector<Drop> drop_statements(const Archive& archive, const RestoreOptions& options);

/// Carries it out in the caller's transaction. Throws Error(kServer) for what others' objects depend on,
/// Error(kState) where they depend on a type and CASCADE would take them along.
void drop(pg::Connection& target, const std::vector<Drop>& drops);

}  // namespace pgsluice::schema
