#include "pipeline/run/reload.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "pg/quote.h"
#include "schema/archive/drops.h"

namespace pgsluice::pipeline {

namespace {

using schema::EntryKind;
using schema::Oid;

std::set<Oid> ancestors_too(std::set<Oid> tables, const schema::Catalog& catalog) {
  for (bool more = true; more;) {
    more = false;
    for (const schema::Inheritance& link : catalog.inheritance) {
      if (tables.contains(link.child) && tables.insert(link.parent).second) more = true;
    }
  }
  return tables;
}

}  // namespace

void make_loadable(pg::Connection& target, const Plan& plan, const std::set<Oid>& tables, copy::LedgerContents& ledger,
                   const Log& log) {
  const std::set<Oid> concerned = ancestors_too(tables, plan.catalog);
  std::set<schema::CatalogId> to_drop;
  std::vector<schema::Drop> of_leaves;
  for (const schema::ForeignKey& key : plan.catalog.foreign_keys) {
    if (!concerned.contains(key.child) && !concerned.contains(key.parent)) continue;
    to_drop.insert({schema::kPgConstraint, key.oid});
    for (const schema::LeafForeignKey& leaf : key.leaves) {
      const schema::Relation* child = plan.catalog.relation(leaf.child);
      if (child == nullptr) continue;
      of_leaves.push_back({.sql = fmt::format("ALTER TABLE IF EXISTS {} DROP CONSTRAINT IF EXISTS {};", child->quoted(),
                                              pg::quote_identifier(leaf.name)),
                           .cascading_type = ""});
    }
  }
  for (const schema::Trigger& trigger : plan.catalog.triggers) {
    if (concerned.contains(trigger.table)) to_drop.insert({schema::kPgTrigger, trigger.oid});
  }
  const auto forget = [&](TaskId id) {
    const std::string& mark = plan.task_marks[id];
    if (ledger.tasks.erase(mark) == 0) return false;
    copy::forget_task(target, mark);
    log.info(fmt::format("{} is made again after the rows", plan.graph[id].name));
    return true;
  };
  schema::Archive of_tables;
  std::set<int> dropped;
  for (TaskId id = 0; id < plan.graph.size(); ++id) {
    const schema::TocEntry* entry = plan.graph[id].entry;
    const bool is_dropped = entry != nullptr && to_drop.contains(entry->catalog_id) &&
                            (entry->kind.is_one_of({EntryKind::kFkConstraint, EntryKind::kTrigger}));
    if (is_dropped && forget(id) && dropped.insert(entry->dump_id).second) of_tables.entries.push_back(*entry);
  }
  for (TaskId id = 0; id < plan.graph.size(); ++id) {
    const schema::TocEntry* entry = plan.graph[id].entry;
    if (entry == nullptr || entry->kind != EntryKind::kComment) continue;
    const bool goes_along = std::any_of(entry->dependencies.begin(), entry->dependencies.end(),
                                        [&](int dump_id) { return dropped.contains(dump_id); });
    if (goes_along) forget(id);
  }
  if (of_tables.entries.empty()) return;
  schema::drop(target, schema::drop_statements(of_tables, plan.restore));
  schema::drop(target, of_leaves);
}

}  // namespace pgsluice::pipeline
