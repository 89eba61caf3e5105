#include <fmt/format.h>

#include <algorithm>

#include "pg/version.h"
#include "pipeline/plan/graph_stages.h"

namespace pgsluice::pipeline {

namespace {

using schema::EntryKind;
using schema::Oid;
using schema::Relation;
using schema::RelationKind;

// Up to this size ANALYZE costs the target less than reading and writing statistics costs both servers: it reads all
// rows then, so that its statistics are those of the source (docs/performance.md, Statistics).
constexpr Bytes kCheaperToAnalyze{256 * 1024};

constexpr std::string_view kAnalyze = "ANALYZE ";
constexpr std::string_view kVacuum = "VACUUM ";
constexpr std::string_view kVacuumAnalyze = "VACUUM (ANALYZE) ";

// ANALYZE needs the indexes on expressions and the statistics objects; foreign keys need the statistics. Those that are
// carried from the source wait for the rows, which they tell the number of, and for indexes on expressions only.
class StatisticsStage {
 public:
  StatisticsStage(GraphState& state, PreData& pre_data, const Rows& rows, const PostData& post_data)
      : state_(state), pre_data_(pre_data), rows_(rows), post_data_(post_data) {
    for (const schema::Inheritance& link : catalog().inheritance) {
      const Relation* parent = catalog().relation(link.parent);
      if (parent == nullptr) continue;
      if (parent->kind == RelationKind::kPartitionedTable) {
        partitions_.insert(link.child);
      } else {
        parents_by_inheritance_.insert(link.parent);
      }
    }
    // The topmost partitioned table's ANALYZE does all its partitions too.
    for (const Relation& relation : catalog().relations) {
      if (!is_topmost_parent(relation) || has_foreign_member(relation) || carries(relation)) continue;
      for (const Oid member : state_.relations.tree(relation.oid)) analyzed_by_parent_.insert(member);
    }
    for (const TablePlan& table : state.plan.tables) plans_[table.table->oid] = &table;
    for (const auto& [task, entry] : post_data.foreign_key_checks) {
      for (const Oid relation : state.relations.of(*entry)) with_foreign_keys_.insert(relation);
    }
    for (const schema::Index& index : catalog().indexes) {
      if (index.has_expressions) indexes_with_expressions_.insert(index.oid);
    }
  }

  void add() {
    for (const Relation& relation : catalog().relations) {
      const bool copied = rows_.of_table.contains(relation.oid);
      const bool is_carried = carries(relation) && !analyzed_by_parent_.contains(relation.oid);
      const bool is_part_of_tree = is_carried && relation.kind == RelationKind::kPartitionedTable;
      if (!copied && !is_topmost_parent(relation) && !is_part_of_tree) continue;
      if (has_foreign_member(relation)) {
        state_.plan.skipped.push_back(fmt::format(
            "statistics of {} as a whole: they would be gathered from the servers of its foreign tables too",
            relation.display()));
        if (!copied) continue;
      }
      if (is_carried) add_carried(relation);
      for (const std::string_view command : commands_for(relation, is_carried)) add_task(relation, command);
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

  // The source's statistics are of the rows that this table gets, in columns of the same types.
  bool carries(const Relation& relation) const {
    const ExistingTarget& existing = state_.plan.existing;
    const bool has_rows_of_its_own = relation.kind == RelationKind::kTable && !relation.extension_condition &&
                                     relation.load_via_root == 0 && !existing.other_types.contains(relation.oid) &&
                                     !existing.partitioned.contains(relation.oid);
    const bool pays = relation.heap_size > kCheaperToAnalyze || state_.options.statistics == Statistics::kCarry;
    return state_.plan.carries_statistics && !relation.statistics_call_functions &&
           ((has_rows_of_its_own && pays) || relation.kind == RelationKind::kPartitionedTable);
  }

  // Each before the table's name; none for a table that needs none of its own. Of a large table a foreign key waits for
  // the statistics only: its validation need not wait for a VACUUM, which reads all of it.
  std::vector<std::string_view> commands_for(const Relation& relation, bool is_carried) const {
    const auto plan = plans_.find(relation.oid);
    const bool is_whole_tree = relation.kind == RelationKind::kPartitionedTable;
    const bool vacuum = !is_whole_tree && (plan == plans_.end() || plan->second->upkeep == Upkeep::kVacuumAnalyze);
    const bool analyze =
        !is_carried &&
        (is_whole_tree || (!analyzed_by_parent_.contains(relation.oid) && !has_foreign_member(relation)));
    if (vacuum && analyze) {
      const bool apart = relation.heap_size > TaskCosts::kSampled && with_foreign_keys_.contains(relation.oid);
      return apart ? std::vector{kAnalyze, kVacuum} : std::vector{kVacuumAnalyze};
    }
    if (vacuum) return {kVacuum};
    if (analyze) return {kAnalyze};
    return {};
  }

  void add_task(const Relation& relation, std::string_view command) {
    TaskGraph& graph = state_.graph();
    const bool is_sampled = command == kAnalyze;
    const TaskId task = graph.add(
        {.kind = TaskKind::kStatistics,
         .lane = Lane::kBuild,
         .name = (command == kVacuum ? "vacuum of " : "statistics of ") + relation.display(),
         .cost = kStatementCost + (is_sampled ? state_.costs.analyze(relation) : state_.costs.vacuum(relation)),
         .claims = claims(relation),
         .relation = &relation,
         .sql = fmt::format("{}{}{}", command, only(relation), relation.quoted())});
    if (relation.statistics_call_functions) graph.after(task, rows_.done);
    follow_rows(relation, task);
    for (const Oid member : state_.relations.tree(relation.oid)) {
      const auto on_member = post_data_.on_relation.find(member);
      if (on_member == post_data_.on_relation.end()) continue;
      for (const TaskId built : on_member->second) {
        if (precedes_statistics(graph[built])) graph.after(task, built);
      }
    }
    // VACUUM by itself brings nothing that a key's validation could use.
    of_relation_.try_emplace(relation.oid, task);
    graph.after(post_data_.done, task);
  }

  // Where the source's turn out to be of no use, the target gathers its own: of a table alone, since partitions and
  // inheritance children have tasks of their own.
  void add_carried(const Relation& relation) {
    TaskGraph& graph = state_.graph();
    const auto plan = plans_.find(relation.oid);
    const bool has_tasks_below =
        relation.kind == RelationKind::kPartitionedTable || parents_by_inheritance_.contains(relation.oid);
    constexpr double kColumnsLikeAStatement = 8;
    const double columns = static_cast<double>(relation.columns.size()) / kColumnsLikeAStatement;
    const TaskId task = graph.add({.kind = TaskKind::kCarriedStatistics,
                                   .lane = Lane::kCopy,
                                   .name = "statistics of " + relation.display(),
                                   .cost = kStatementCost * (1 + columns),
                                   .claims = {{relation.oid, index::LockMode::kShareUpdateExclusive}},
                                   .relation = &relation,
                                   .table = plan == plans_.end() ? nullptr : plan->second,
                                   .sql = (has_tasks_below ? "ANALYZE ONLY " : "ANALYZE ") + relation.quoted()});
    follow_rows(relation, task);
    const auto on_table = post_data_.on_relation.find(relation.oid);
    if (on_table != post_data_.on_relation.end()) {
      for (const TaskId built : on_table->second) {
        if (has_statistics(graph[built])) graph.after(task, built);
      }
    }
    of_relation_[relation.oid] = task;
    graph.after(post_data_.done, task);
  }

  void follow_rows(const Relation& relation, TaskId task) {
    TaskGraph& graph = state_.graph();
    // A partitioned table without partitions waits for no rows.
    pre_data_.keep_out_of_the_way(state_, task, {relation.oid});
    for (const TaskId rows : rows_.below(state_, relation.oid)) graph.after(task, rows);
    if (const auto own = rows_.of_table.find(relation.oid); own != rows_.of_table.end()) {
      for (const TaskId rows : own->second) graph.require(task, rows);
    }
  }

  bool has_statistics(const Task& task) const {
    return task.entry != nullptr && (task.entry->kind == EntryKind::kStatistics ||
                                     indexes_with_expressions_.contains(task.entry->catalog_id.oid));
  }

  static bool precedes_statistics(const Task& task) {
    return task.entry != nullptr &&
           task.entry->kind.is_one_of({EntryKind::kIndex, EntryKind::kConstraint, EntryKind::kStatistics});
  }

  // From 18 on, ANALYZE and VACUUM of a table would take its inheritance children along, which have tasks of their own.
  // ANALYZE ONLY still gathers statistics of the parent with its children.
  std::string_view only(const Relation& relation) const {
    const bool would_recurse =
        state_.plan.restore.target_version >= pg::since::kAnalyzeOnly && parents_by_inheritance_.contains(relation.oid);
    return would_recurse ? "ONLY " : "";
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
  std::set<Oid> parents_by_inheritance_;
  std::set<Oid> analyzed_by_parent_;
  std::map<Oid, const TablePlan*> plans_;
  std::set<Oid> indexes_with_expressions_;
  std::set<Oid> with_foreign_keys_;
};

}  // namespace

void add_statistics(GraphState& state, PreData& pre_data, const Rows& rows, const PostData& post_data) {
  if (state.options.statistics != Statistics::kNone) StatisticsStage(state, pre_data, rows, post_data).add();
}

}  // namespace pgsluice::pipeline
