#pragma once

#include <optional>
#include <span>
#include <string>

#include "copy/copy_statement.h"
#include "copy/flow.h"
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
  /// Gets the rows as they pass.
  Flow flow;
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

/// A table's rows and the statements that end with their COPY … FROM STDIN.
struct RowStream {
  const TableCopy& copy;
  std::string copy_in;
  /// Gets every row on its way, where rows are to be digested.
  RowDigester* digester = nullptr;
};

/// A table that must not be committed, and why.
struct Objection {
  Error error;
  std::size_t table = 0;
};

/// The origin of tables' rows: a session of the source (server_rows.h) or the files of an archive
/// (store/archived_rows.h). Belongs to one thread, as the target's session does.
class RowSource {
 public:
  virtual ~RowSource() = default;

  /// The relation in the order of whose columns the rows come: the table's own, or that of the table above it.
  virtual const schema::Relation& column_order(const TableCopy& copy) const = 0;

  /// Sends streams to the target, one after another. The outcome, and the state of the target's session, are those of
  /// Relay::run(). Throws Error(kCancelled).
  virtual RelayResult send(pg::Connection& target, std::span<const RowStream> streams) = 0;

  /// After send(): returns the first table whose rows are not, or may not be, those that were meant.
  virtual std::optional<Objection> find_objection(std::span<const TableCopy> tables) = 0;

  /// The digest of the values of columns that are not copied, since each server computes them by itself.
  virtual Digest digest_of_generated_columns(const TableCopy& copy) = 0;
};

}  // namespace pgsluice::copy
