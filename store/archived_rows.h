#pragma once

#include <map>

#include "copy/row_source.h"
#include "store/archive_data.h"
#include "store/data_entries.h"

namespace pgsluice::store {

/// Reads a table's rows and returns their digest, as text. Throws like ArchiveData::read_rows().
copy::RowsDigest digest_of_rows(const ArchiveData& data, const schema::TocEntry& entry);

/// The rows of an archive's tables. A table that comes whole is compared with the manifest, if there is one, before it
/// may be committed.
class ArchivedRows : public copy::RowSource {
 public:
  /// Both outlive it.
  ArchivedRows(const ArchiveData& data, const DataEntries& entries) : data_(data), entries_(entries) {}

  const schema::Relation& column_order(const copy::TableCopy& copy) const override { return copy.table; }
  copy::RelayResult send(pg::Connection& target, std::span<const copy::RowStream> streams) override;
  std::optional<copy::Objection> find_objection(std::span<const copy::TableCopy>) override { return std::nullopt; }
  /// Archives have no values of such columns: nothing, which is the digest of no columns.
  Digest digest_of_generated_columns(const copy::TableCopy&) override { return {}; }

 private:
  copy::RelayOutcome send_one(pg::Connection& target, const copy::RowStream& stream);

  const ArchiveData& data_;
  const DataEntries& entries_;
};

}  // namespace pgsluice::store
