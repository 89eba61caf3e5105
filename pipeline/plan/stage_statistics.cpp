#include <fmt/format.h>

#include <algorithm>

#include "pipeline/plan/graph_stages.h"

namespace pgsluice::pipeline {

namespace {

using schema::EntryKind;
using schema::Oid;
using schema::Relation;
using schema::RelationKind;

// Statistics need the indexes on expressions and the statistics objects; foreign keys need the statistics.
class StatisticsStage {
 public:
  StatisticsStage(GraphState& state, PreData& pre_data, const Rows& rows, const PostData& post_data)
      : state_(state), pre_data_(pre_data), rows_(rows), post_data_(post_data) {
    for (const schema::Inheritance& link : catalog().inheritance) {
      const Relation* parent = catalog().relation(link.parent);
      if (parent != nullptr && parent->kind == RelationKind::kPartitionedTable) partitions_.insert(link.child);
    }
    // The topmost partitioned table's ANALYZE does all its partitions too.
    for (const Relation& relation : catalog().relations) {
      if (!is_topmost_parent(relation) || has_foreign_member(relation)) continue;
      for (const Oid member : state_.relations.tree(relation.oid)) analyzed_by_parent_.insert(member);
    }
    for (const TablePlan& table : state.plan.tables) upkeep_[table.table->oid] = table.upkeep;
  }

  void add() {
    for (const Relation& relation : catalog().relations) {
      const bool copied = rows_.of_table.contains(relation.oid);
      if (!copied && !is_topmost_parent(relation)) continue;
      if (has_foreign_member(relation)) {
        state_.plan.skipped.push_back(fmt::format(
            "statistics of {} as a whole: they would be gathered from the servers of its foreign tables too",
            relation.display()));
        if (!copied) continue;
      }
      const std::string_view command = command_for(relation);
      if (!command.empty()) add_task(relation, command);
    }
    check_foreign_keys_after_statistics();
  }

 private:
  const schema::Catalog& catalog() const { return state_.plan.catalog; }

  bool is_topmost_parent(const Relation& relation) const {
    return relation.kind == RelationKind::kPartitionedTable && !partitions_.contains(relation.oid);
  }

  bool has_foreign_member(const Relation& relation) const {
    const std::vector<Oid> members = state_.relations.tree(relation.oid);
    return std::any_of(members.begin(), members.end(), [&](Oid member) {
      const Relation* found = catalog().relation(member);
      return found != nullptr && found->kind == RelationKind::kForeignTable;
    });
  }

  // Before the table's name; empty for a table that needs none of its own.
  std::string_view command_for(const Relation& relation) const {
    if (relation.kind == RelationKind::kPartitionedTable) return "ANALYZE ";
    const auto upkeep = upkeep_.find(relation.oid);
    const bool vacuum = upkeep == upkeep_.end() || upkeep->second == Upkeep::kVacuumAnalyze;
    const bool analyze = !analyzed_by_parent_.contains(relation.oid) && !has_foreign_member(relation);
    if (vacuum) return analyze ? "VACUUM (ANALYZE) " : "VACUUM ";
    return analyze ? "ANALYZE " : "";
  }

  void add_task(const Relation& relation, std::string_view command) {
    TaskGraph& graph = state_.graph();
    const TaskId task = graph.add({.kind = TaskKind::kStatistics,
                                   .lane = Lane::kBuild,
                                   .name = "statistics of " + relation.display(),
                                   .cost = kStatementCost + state_.costs.statistics(relation),
                                   .claims = claims(relation),
                                   .relation = &relation,
                                   .sql = std::string(command) + relation.quoted()});
    if (relation.statistics_call_functions) graph.after(task, rows_.done);
    pre_data_.keep_out_of_the_way(state_, task,
                                  {relation.oid});  // a partitioned table without partitions waits for no rows
    for (const TaskId rows : rows_.below(state_, relation.oid)) graph.after(task, rows);
    for (const Oid member : state_.relations.tree(relation.oid)) {
      const auto on_member = post_data_.on_relation.find(member);
      if (on_member == post_data_.on_relation.end()) continue;
      for (const TaskId built : on_member->second) {
        if (precedes_statistics(graph[built])) graph.after(task, built);
      }
    }
    if (const auto own = rows_.of_table.find(relation.oid); own != rows_.of_table.end()) {
      for (const TaskId rows : own->second) graph.require(task, rows);
    }
    of_relation_[relation.oid] = task;
    graph.after(post_data_.done, task);
  }

  static bool precedes_statistics(const Task& task) {
    return task.entry != nullptr &&
           task.entry->kind.is_one_of({EntryKind::kIndex, EntryKind::kConstraint, EntryKind::kStatistics});
  }

  std::vector<index::LockClaim> claims(const Relation& relation) const {
    std::vector<index::LockClaim> claims;
    const bool whole_tree = is_topmost_parent(relation);
    for (const Oid member : whole_tree ? state_.relations.tree(relation.oid) : std::vector<Oid>{relation.oid}) {
      claims.push_back({member, index::LockMode::kShareUpdateExclusive});
    }
    return claims;
  }

  void check_foreign_keys_after_statistics() {
    for (const auto& [task, entry] : post_data_.foreign_key_checks) {
      for (const Oid relation : state_.relations.of(*entry)) {
        const auto found = of_relation_.find(relation);
        if (found != of_relation_.end()) state_.graph().after(task, found->second);
      }
    }
  }

  GraphState& state_;
  PreData& pre_data_;
  const Rows& rows_;
  const PostData& post_data_;
  std::map<Oid, TaskId> of_relation_;
  std::set<Oid> partitions_;
  std::set<Oid> analyzed_by_parent_;
  std::map<Oid, Upkeep> upkeep_;
};

}  // namespace

void add_statistics(GraphState& state, PreData& pre_data, const Rows& rows, const PostData& post_data) {
  if (state.options.statistics) StatisticsStage(state, pre_data, rows, post_data).add();
}

}  // namespace pgsluice::pipeline
