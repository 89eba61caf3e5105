#pragma once

#include <string>
#include <utility>

#include "copy/row_source.h"

namespace pgsluice::copy {

/// The rows of a source server's tables, handed on by a relay.
class ServerRows : public RowSource {
 public:
  /// The session is in the snapshot's transaction. `read_before`: of the snapshot, see pg::SnapshotMark. Session and
  /// relay outlive it.
  ServerRows(pg::Connection& source, Relay& relay, std::string read_before = {})
      : source_(source), relay_(relay), read_before_(std::move(read_before)) {}

  const schema::Relation& column_order(const TableCopy& copy) const override { return copy.into; }
  RelayResult send(pg::Connection& target, std::span<const RowStream> streams) override;
  std::optional<Objection> find_objection(std::span<const TableCopy> tables) override;
  Digest digest_of_generated_columns(const TableCopy& copy) override;

 private:
  pg::Connection& source_;
  Relay& relay_;
  const std::string read_before_;
};

}  // namespace pgsluice::copy
