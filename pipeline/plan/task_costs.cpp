#include "pipeline/plan/task_costs.h"

#include <algorithm>

namespace pgsluice::pipeline {

using schema::EntryKind;

namespace {
constexpr double kReading = 0.125;  // of what copying the same bytes costs
}  // namespace

double TaskCosts::building(const schema::TocEntry& entry) const {
  const bool foreign_key = entry.kind == EntryKind::kFkConstraint;
  if (!foreign_key && !entry.kind.is_one_of({EntryKind::kIndex, EntryKind::kConstraint})) return 0;
  double bytes = 0;
  for (const schema::Oid relation : relations_.of(entry)) {
    bytes += foreign_key ? tree_size(relation) : heap_size(relation);
  }
  return bytes * kSorting;
}

double TaskCosts::vacuum(const schema::Relation& relation) const {
  const bool whole_tree = relation.kind == schema::RelationKind::kPartitionedTable;
  return (whole_tree ? tree_size(relation.oid) : heap_size(relation.oid)) * kReading;
}

double TaskCosts::analyze(const schema::Relation& relation) const {
  if (relation.kind != schema::RelationKind::kPartitionedTable) {
    return std::min(heap_size(relation.oid), static_cast<double>(kSampled.count)) * kReading;
  }
  double bytes = 0;
  for (const schema::Oid member : relations_.tree(relation.oid)) {
    bytes += std::min(heap_size(member), static_cast<double>(kSampled.count));
  }
  return bytes * kReading;
}

double TaskCosts::heap_size(schema::Oid relation) const {
  const schema::Relation* found = catalog_.relation(relation);
  return found == nullptr ? 0 : static_cast<double>(found->heap_size.count);
}

double TaskCosts::tree_size(schema::Oid relation) const {
  double bytes = 0;
  for (const schema::Oid member : relations_.tree(relation)) bytes += heap_size(member);
  return bytes;
}

}  // namespace pgsluice::pipeline
