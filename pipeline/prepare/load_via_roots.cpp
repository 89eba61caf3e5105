#include "pipeline/prepare/load_via_roots.h"

#include <algorithm>
#include <map>
#include <set>

#include "schema/catalog/collations.h"

namespace pgsluice::pipeline {

void load_through_roots_where_rows_move(pg::Connection& source, pg::Connection& target, schema::Catalog& catalog) {
  const auto is_sorted = [](const schema::Relation& relation) { return relation.collation_sensitive_root != 0; };
  if (std::none_of(catalog.relations.begin(), catalog.relations.end(), is_sorted)) return;
  if (schema::partition_keys_sort_alike(source, target)) return;
  for (schema::Relation& relation : catalog.relations) {
    if (is_sorted(relation)) relation.load_via_root = relation.collation_sensitive_root;
  }
}

void load_through_roots_where_rows_may_move(schema::Catalog& catalog) {
  for (schema::Relation& relation : catalog.relations) {
    if (relation.collation_sensitive_root != 0) relation.load_via_root = relation.collation_sensitive_root;
  }
}

void load_whole_trees_through_their_roots(schema::Catalog& catalog) {
  std::map<schema::Oid, schema::Oid> parents;
  for (const schema::Inheritance& link : catalog.inheritance) parents[link.child] = link.parent;
  std::set<schema::Oid> roots;
  for (const schema::Relation& relation : catalog.relations) {
    if (relation.load_via_root != 0) roots.insert(relation.load_via_root);
  }
  if (roots.empty()) return;
  for (schema::Relation& relation : catalog.relations) {
    if (relation.kind != schema::RelationKind::kTable) continue;
    for (auto parent = parents.find(relation.oid); parent != parents.end(); parent = parents.find(parent->second)) {
      if (roots.contains(parent->second)) relation.load_via_root = parent->second;
    }
  }
}

}  // namespace pgsluice::pipeline
