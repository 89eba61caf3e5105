#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "copy/ledger.h"
#include "copy/row_source.h"
#include "pg/connection.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::copy {

/// The ledger's row for a part of a table.
LedgerPart ledger_part(const schema::Relation& table, const RangeBounds& bounds);

struct CopiedTable {
  LoadedRows loaded;
  std::chrono::nanoseconds duration{};
};

struct CopyTablesResult {
  /// One for each, or none.
  std::vector<CopiedTable> copied;
  /// Why the target has nothing of any of them; the error names the table.
  std::optional<Error> error;
  /// Which one it is about; nullopt if it is about all of them.
  std::optional<std::size_t> failed;
};

/// Copies tables in one transaction of the target, one after the other: a few round trips for all of them. The target's
/// session is idle. The transaction is committed only when both ends have counted the same rows, for each table, and
/// the source has no objection. Throws Error(kCancelled).
CopyTablesResult copy_tables(RowSource& source, pg::Connection& target, std::span<const TableCopy> tables);

}  // namespace pgsluice::copy
