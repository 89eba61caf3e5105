#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"

namespace pgsluice::schema {

/// Something that both databases have not alike, and of which pg_dump writes nothing.
struct BeyondDifference {
  std::string object;
  std::string source;  ///< empty where it is missing
  std::string target;
  /// Both have it, and whether their texts mean the same cannot be told.
  bool undecided = false;
};

/// Compares what pg_dump does not write: the order of columns of inheritance children, what users have put on tables of
/// extensions, the database's encoding, locale provider, locale and rules. Both sessions have an empty search path.
/// Throws Error(kServer).
std::vector<BeyondDifference> compare_beyond_pg_dump(pg::Connection& source, pg::Connection& target);

}  // namespace pgsluice::schema
