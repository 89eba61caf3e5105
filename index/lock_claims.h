#pragma once

#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "schema/archive/archive.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::index {

/// PostgreSQL's table locks, as far as a restore takes them.
/// https://www.postgresql.org/docs/15/explicit-locking.html#LOCKING-TABLES
enum class LockMode { kRowShare, kShareUpdateExclusive, kShare, kShareRowExclusive, kAccessExclusive };

/// True if two transactions can't hold these locks on one table at a time.
bool conflicts(LockMode a, LockMode b);

/// A lock that a task will take on the target's counterpart of a source relation.
struct LockClaim {
  schema::Oid relation = 0;
  LockMode mode = LockMode::kAccessExclusive;
};

/// Knows, for the entries of one archive, which relations they touch. Refers to archive and catalog, which outlive it.
class EntryRelations {
 public:
  EntryRelations(const schema::Archive& archive, const schema::Catalog& catalog);

  /// The relations that an entry is about: its own, and those that its dependencies are about (an index's table, both
  /// ends of a foreign key). Without their partitions and children.
  const std::vector<schema::Oid>& of(const schema::TocEntry& entry) const;

  /// A relation with all partitions and inheritance children below it.
  std::vector<schema::Oid> tree(schema::Oid relation) const;

  /// The partitioned tables and inheritance parents above a relation.
  std::vector<schema::Oid> ancestors(schema::Oid relation) const;

  /// The locks that restoring a post-data entry takes.
  std::vector<LockClaim> claims(const schema::TocEntry& entry) const;

 private:
  std::vector<schema::Oid> own_relations(const schema::TocEntry& entry) const;

  std::map<schema::Oid, schema::Oid> table_of_index_;
  std::set<schema::Oid> indexes_that_alter_;
  std::map<schema::Oid, std::vector<schema::Oid>> tables_of_constraint_;
  std::map<schema::Oid, schema::Oid> table_of_trigger_;
  std::map<schema::Oid, std::vector<schema::Oid>> children_;
  std::map<schema::Oid, std::vector<schema::Oid>> parents_;
  std::map<int, std::vector<schema::Oid>> relations_;
};

}  // namespace pgsluice::index
