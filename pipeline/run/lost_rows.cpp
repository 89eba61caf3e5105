#include "pipeline/run/lost_rows.h"

#include <fmt/format.h>

#include "pgsluice/error.h"

namespace pgsluice::pipeline {

void refuse_partially_lost_partition_trees(pg::Connection& target, const Plan& plan,
                                           const copy::LedgerContents& ledger) {
  if (!copy::has_crashed(target)) return;
  struct Tree {
    const schema::Relation* root = nullptr;
    bool unlogged = false;
    bool logged = false;
    bool loaded = false;
  };
  std::map<schema::Oid, Tree> trees;
  for (const TablePlan& table : plan.tables) {
    if (table.into == table.table) continue;
    Tree& tree = trees[table.into->oid];
    tree.root = table.into;
    (table.table->unlogged ? tree.unlogged : tree.logged) = true;
    for (const copy::LedgerPart& part : ledger.parts) {
      if (part.relation == table.table->oid && part.loaded.rows > 0) tree.loaded = true;
    }
  }
  for (const auto& [oid, tree] : trees) {
    if (!tree.unlogged || !tree.logged) continue;
    const std::string has_rows = fmt::format("SELECT EXISTS (SELECT FROM {})", tree.root->quoted());
    if (!tree.loaded && !target.execute(has_rows)[0].boolean(0)) continue;
    throw Error(ErrorKind::kState, fmt::format("the target has crashed, and the unlogged partitions of {} are empty: "
                                               "which of its rows are missing cannot be told",
                                               tree.root->display()))
        .on(Side::kTarget)
        .remedy(Remedy::kStartOver);
  }
}

void refuse_reloading_tables_with_triggers(const Plan& plan, const std::map<TaskId, copy::LoadedRows>& done) {
  for (TaskId id = 0; id < plan.graph.size(); ++id) {
    if (!plan.graph[id].copies_rows() || done.contains(id)) continue;
    for (const TaskGraph::Edge& edge : plan.graph.followers(id)) {
      const schema::TocEntry* entry = plan.graph[edge.to].entry;
      const bool in_the_way =
          entry != nullptr && (entry->kind.is_one_of({schema::EntryKind::kTrigger, schema::EntryKind::kFkConstraint}));
      if (!in_the_way || !done.contains(edge.to)) continue;
      throw Error(ErrorKind::kState, fmt::format("{} have to be copied again, and {} is there already",
                                                 plan.graph[id].name, plan.graph[edge.to].name))
          .on(Side::kTarget)
          .remedy(Remedy::kStartOver);
    }
  }
}

}  // namespace pgsluice::pipeline
