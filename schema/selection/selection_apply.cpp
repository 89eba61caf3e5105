#include <algorithm>
#include <map>
#include <set>

#include "schema/selection/selection.h"

namespace pgsluice::schema {

namespace {

template <class Items, class Keep>
void keep_only(Items& items, const Keep& keep) {
  std::erase_if(items, [&](const auto& item) { return !keep(item); });
}

}  // namespace

void apply(const Selection& selection, Catalog& catalog) {
  if (selection.empty()) return;
  keep_only(catalog.relations, [&](const Relation& relation) { return selection.keeps(relation.oid); });
  for (Relation& relation : catalog.relations) {
    if (selection.without_rows.contains(relation.oid)) relation.rows_wanted = false;
  }
  keep_only(catalog.indexes, [&](const Index& index) {
    return selection.keeps(index.oid) && selection.keeps(index.table) &&
           selection.keeps(CatalogId{kPgConstraint, index.constraint});
  });
  keep_only(catalog.foreign_keys, [&](const ForeignKey& key) {
    return selection.keeps(CatalogId{kPgConstraint, key.oid}) && selection.keeps(key.child) &&
           selection.keeps(key.parent);
  });
  for (ForeignKey& key : catalog.foreign_keys) {
    keep_only(key.leaves, [&](const LeafForeignKey& leaf) { return selection.keeps(leaf.child); });
  }
  keep_only(catalog.inheritance,
            [&](const Inheritance& link) { return selection.keeps(link.child) && selection.keeps(link.parent); });
  keep_only(catalog.triggers, [&](const Trigger& trigger) {
    return selection.keeps(CatalogId{kPgTrigger, trigger.oid}) && selection.keeps(trigger.table);
  });
  keep_only(catalog.sequences, [&](const Sequence& sequence) { return selection.keeps(sequence.oid); });
  keep_only(catalog.roles, [&](const RoleUse& role) { return selection.keeps(role.object); });
}

void apply(const Selection& selection, Archive& archive) {
  if (selection.empty()) return;
  std::map<int, const TocEntry*> by_id;
  for (const TocEntry& entry : archive.entries) by_id[entry.dump_id] = &entry;
  std::set<int> left_out;
  for (const TocEntry& entry : archive.entries) {
    const bool has_rows = entry.kind.is_one_of({EntryKind::kMaterializedViewData, EntryKind::kTableData});
    if (has_rows && selection.without_rows.contains(entry.catalog_id.oid)) left_out.insert(entry.dump_id);
    // Rows carry the OID of their table and no catalog.
    const bool is_kept =
        entry.kind == EntryKind::kTableData ? selection.keeps(entry.catalog_id.oid) : selection.keeps(entry.catalog_id);
    if (!is_kept) left_out.insert(entry.dump_id);
  }
  // Comments, privileges and the like are of what they name first.
  for (const TocEntry& entry : archive.entries) {
    if (entry.catalog_id != CatalogId{}) continue;
    const bool of_none_kept = std::any_of(entry.dependencies.begin(), entry.dependencies.end(), [&](int on) {
      if (left_out.contains(on)) return true;
      const auto found = by_id.find(on);
      return entry.kind == EntryKind::kSequenceOwnedBy && found != by_id.end() &&
             selection.sequences_without_owner.contains(found->second->catalog_id.oid);
    });
    if (of_none_kept) left_out.insert(entry.dump_id);
  }
  std::erase_if(archive.entries, [&](const TocEntry& entry) { return left_out.contains(entry.dump_id); });
}

}  // namespace pgsluice::schema
