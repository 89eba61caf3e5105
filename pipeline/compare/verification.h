#pragma once

#include <map>
#include <vector>

#include "base/mutex.h"
#include "copy/row_digest.h"
#include "copy/row_ranges.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// The rows that have come into each of the target's tables, and those that should, added up over parts (and partitions
/// that are loaded through a root). Any thread.
class Verification {
 public:
  /// Rows that an archive's manifest names for a table. Of a server, those that it sends are the ones that should come.
  void expect(const schema::Relation& into, const copy::RowsDigest& rows);
  void add(const schema::Relation& into, const copy::LoadedRows& loaded);
  copy::RowsDigest sent(const schema::Relation& into) const;
  /// Returns the rows that the table should have: those that were expected or, if none were, those that were sent.
  copy::RowsDigest should_be(const schema::Relation& into) const;

  /// Serializes the naming of rows that differ: the source allows one extra session.
  Mutex naming_rows;

 private:
  mutable Mutex mutex_;
  std::map<schema::Oid, copy::RowsDigest> expected_ GUARDED_BY(mutex_);
  std::map<schema::Oid, copy::RowsDigest> sent_ GUARDED_BY(mutex_);
};

/// Reads a table of the target back, its generated columns too, and compares it with what was sent. `before_generated`
/// is set for reading these.
/// Throws Error(kMismatch) for a difference, Error for what keeps it from being read.
void verify_table(pg::Connection& target, const schema::Relation& table, copy::CopyFormat format,
                  const copy::RowsDigest& sent, std::atomic<std::int64_t>& bytes,
                  const std::string& before_generated = "");

}  // namespace pgsluice::pipeline
