#pragma once

#include "index/lock_claims.h"
#include "pgsluice/bytes.h"

namespace pgsluice::pipeline {

/// Estimates of what tasks on the target cost beside their statement, in the unit of Task::cost. The references outlive
/// it.
class TaskCosts {
 public:
  TaskCosts(const schema::Catalog& catalog, const index::EntryRelations& relations)
      : catalog_(catalog), relations_(relations) {}

  /// The cost of an index or a key over its table, and of a foreign key over both of its ends with all their
  /// partitions; 0 for other entries.
  double building(const schema::TocEntry& entry) const;
  /// The cost of a table's VACUUM, or a partitioned table's with all its partitions.
  double vacuum(const schema::Relation& relation) const;
  /// The cost of an ANALYZE, which reads a sample of a large table.
  double analyze(const schema::Relation& relation) const;

  /// An ANALYZE reads no more of a table: 300 blocks for each unit of default_statistics_target, which is 100.
  static constexpr Bytes kSampled{30'000 * 8192};
  /// The cost of building by that of copying the same bytes.
  static constexpr double kSorting = 0.25;

 private:
  double heap_size(schema::Oid relation) const;
  double tree_size(schema::Oid relation) const;

  const schema::Catalog& catalog_;
  const index::EntryRelations& relations_;
};

}  // namespace pgsluice::pipeline
