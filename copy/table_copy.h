#pragma once

#include <atomic>
#include <cstdint>

#include "pgsluice/pg/connection.h"
#include "pgsluice/schema/catalog.h"

namespace pgsluice::copy {

struct TableCopy {
  const schema::Relation& table;
  /// Where the rows go: the table itself, or the partitioned table above it.
  const schema::Relation& into;
  /// For progress.
  std::atomic<std::int64_t>& bytes;
};

/// Copies a table's rows: the source session is in the snapshot's transaction, the target session is idle. The target's
/// transaction is committed only when both servers have counted the same rows. Returns their number.
/// Throws Error with the table's name; Error(kMismatch) when the counts differ. The target has then nothing of it.
std::int64_t copy_table(pg::Connection& source, pg::Connection& target, const TableCopy& copy);

}  // namespace pgsluice::copy
