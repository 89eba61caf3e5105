#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "copy/copy_statement.h"
#include "copy/ledger.h"
#include "copy/relay.h"
#include "copy/row_ranges.h"
#include "pg/connection.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::copy {

/// A table's rows, or a part of them, on their way.
struct TableCopy {
  const schema::Relation& table;
  /// Where the rows go: the table itself, or the partitioned table above it.
  const schema::Relation& into;
  CopyFormat format = CopyFormat::kText;
  Loading loading = Loading::kAppend;
  RowRange range = {};
  /// For progress.
  std::atomic<std::int64_t>& bytes;
  /// True if the target's ledger gets a row for it.
  bool in_ledger = false;
  /// True if the rows are digested on their way.
  bool digested = false;
  /// SET LOCAL for reading generated columns on the source, which plans with their expressions.
  std::string before_generated = {};
  /// Statements of the target's around it, in the same transaction, each with its semicolon.
  std::string before = {};
  std::string after = {};
};

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

/// Copies tables in one transaction of the target, one after the other: a few round trips for all of them. The source
/// session is in the snapshot's transaction, the target session is idle. The transaction is committed only when both
/// servers have counted the same rows, for each table, and the source's tables are still those of the snapshot.
/// `read_before`: of the snapshot, see pg::SnapshotMark. Throws Error(kCancelled).
CopyTablesResult copy_tables(pg::Connection& source, pg::Connection& target, Relay& relay,
                             std::span<const TableCopy> tables, const std::string& read_before = {});

}  // namespace pgsluice::copy
