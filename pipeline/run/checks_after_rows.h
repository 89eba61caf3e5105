#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// Statements around the COPY of a table whose CHECK constraints refuse its rows one by one, because they read other
/// rows of the table: the constraints are dropped before it and added after it, in its transaction.
struct ChecksAfterRows {
  std::string before;
  std::string after;
  std::vector<std::string> names;  ///< of the constraints; none where there is nothing to be done
};

/// How the constraints are added.
enum class CheckRows {
  kAll,   ///< the rows that were loaded have to pass
  kNone,  ///< NOT VALID: they do not pass, although the source has them
};

/// Reads the table's own CHECK constraints on the target. Throws Error(kServer).
ChecksAfterRows checks_after_rows(pg::Connection& target, const schema::Relation& table, CheckRows rows);

}  // namespace pgsluice::pipeline
