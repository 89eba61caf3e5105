#include <fmt/format.h>

#include <algorithm>

#include "pipeline/plan/graph_stages.h"

namespace pgsluice::pipeline {

namespace {

using schema::Oid;
using schema::Relation;
using schema::RelationKind;

// Statistics want the indexes on expressions and the statistics objects; foreign keys want the statistics.
class StatisticsStage {
 public:
  explicit StatisticsStage(GraphState& state) : state_(state) {
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
      const bool copied = state_.data_of_relation.contains(relation.oid);
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
    check_foreign_keys_behind();
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
    if (relation.statistics_call_functions) state_.wait_for_all_data(task);
    state_.wait_for_definitions(task, {relation.oid});  // a partitioned table without partitions waits for no rows
    for (const TaskId rows : state_.rows_below(relation.oid)) graph.after(task, rows);
    for (const Oid member : state_.relations.tree(relation.oid)) {
      for (const TaskId built : state_.tasks_on_relation[member]) {
        if (precedes_statistics(graph[built])) graph.after(task, built);
      }
    }
    for (const TaskId rows : state_.data_of_relation[relation.oid]) graph.require(task, rows);
    state_.statistics_of_relation[relation.oid] = task;
    graph.after(state_.main_done, task);
  }

  static bool precedes_statistics(const Task& task) {
    const std::string& kind = task.entry->kind;
    return kind == "INDEX" || kind == "CONSTRAINT" || kind == "STATISTICS";
  }

  std::vector<index::LockClaim> claims(const Relation& relation) const {
    std::vector<index::LockClaim> claims;
    const bool whole_tree = is_topmost_parent(relation);
    for (const Oid member : whole_tree ? state_.relations.tree(relation.oid) : std::vector<Oid>{relation.oid}) {
      claims.push_back({member, index::LockMode::kShareUpdateExclusive});
    }
    return claims;
  }

  void check_foreign_keys_behind() {
    for (const auto& [task, entry] : state_.foreign_key_checks) {
      for (const Oid relation : state_.relations.of(*entry)) {
        const auto found = state_.statistics_of_relation.find(relation);
        if (found != state_.statistics_of_relation.end()) state_.graph().after(task, found->second);
      }
    }
  }

  GraphState& state_;
  std::set<Oid> partitions_;
  std::set<Oid> analyzed_by_parent_;
  std::map<Oid, Upkeep> upkeep_;
};

}  // namespace

void add_statistics(GraphState& state) {
  if (state.options.statistics) StatisticsStage(state).add();
}

}  // namespace pgsluice::pipeline
