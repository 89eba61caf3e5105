#include "pgsluice/pipeline/graph_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pgsluice/index/index_build.h"
#include "pgsluice/index/lock_claims.h"

namespace pgsluice::pipeline {

namespace {

using schema::Oid;
using schema::Relation;
using schema::RelationKind;
using schema::Section;
using schema::TocEntry;

// A statement has a cost of its own, so that many small tasks count as work in the progress.
constexpr double kStatementCost = 16 * 1024;

// Adds the tasks of one plan to its graph, stage by stage.
class GraphBuilder {
 public:
  GraphBuilder(Plan& plan, const CloneOptions& options, const schema::TargetInventory& inventory)
      : plan_(plan), options_(options), inventory_(inventory), relations_(plan.archive, plan.catalog) {}

  void build() {
    map_constraints();
    add_pre_data();
    add_data();
    add_post_data();
    order_triggers_of_partitions();
    if (options_.statistics) add_statistics();
    wait_for_statistics();
    add_acls();
    add_last();
  }

 private:
  TaskGraph& graph() { return plan_.graph; }

  TaskId add_barrier(std::string name) { return graph().add({.kind = TaskKind::kBarrier, .name = std::move(name)}); }

  bool wanted(const TocEntry& entry, Section section, schema::RestorePass pass) const {
    return entry.section == section && entry.pass() == pass && schema::is_restored(entry, plan_.restore);
  }

  // What the target has already is taken as it is.
  bool taken_as_it_is(const TocEntry& entry) const {
    if (entry.kind == "SCHEMA") return entry.tag != "public" && inventory_.schemas.contains(entry.tag);
    return entry.kind == "EXTENSION" && inventory_.extensions.contains(entry.tag);
  }

  void map_constraints() {
    for (const schema::Index& index : plan_.catalog.indexes) {
      if (index.constraint != 0) index_of_constraint_[index.constraint] = &index;
    }
  }

  void require_dependencies(TaskId task, const TocEntry& entry) {
    for (const int dependency : entry.dependencies) {
      const auto found = task_of_entry_.find(dependency);
      if (found != task_of_entry_.end()) graph().require(task, found->second);
    }
  }

  void add_pre_data() {
    pre_data_done_ = add_barrier("definitions before the data");
    for (const TocEntry& entry : plan_.archive.entries) {
      if (!wanted(entry, Section::kPreData, schema::RestorePass::kMain)) continue;
      if (taken_as_it_is(entry)) {
        plan_.skipped.push_back(fmt::format("{}: on the target already, taken as it is", entry.describe()));
        continue;
      }
      if (entry.kind == "COMMENT" && is_comment_on_foreign_extension(entry)) {
        plan_.skipped.push_back(fmt::format("{}: owned by another role on the target", entry.describe()));
        continue;
      }
      const TaskId task = graph().add({.kind = TaskKind::kPreData,
                                       .lane = Lane::kMain,
                                       .name = entry.describe(),
                                       .cost = kStatementCost,
                                       .entry = &entry});
      require_dependencies(task, entry);
      task_of_entry_[entry.dump_id] = task;
      if (is_relation(entry)) task_of_relation_[entry.catalog_id.oid] = task;
      graph().after(pre_data_done_, task);
    }
  }

  bool is_comment_on_foreign_extension(const TocEntry& entry) const {
    constexpr std::string_view kPrefix = "EXTENSION ";
    if (entry.tag.rfind(kPrefix, 0) != 0) return false;
    std::string name = entry.tag.substr(kPrefix.size());
    if (name.size() > 1 && name.front() == '"') name = name.substr(1, name.size() - 2);
    return inventory_.foreign_extensions.contains(name);
  }

  bool is_relation(const TocEntry& entry) const {
    return entry.catalog_id.table == schema::kPgClass && plan_.catalog.relation(entry.catalog_id.oid) != nullptr;
  }

  void add_data() {
    data_done_ = add_barrier("table data");
    for (const TablePlan& table : plan_.tables) {
      const TaskId task = graph().add({.kind = TaskKind::kTableData,
                                       .lane = Lane::kCopy,
                                       .name = "rows of table " + table.table->display(),
                                       .cost = kStatementCost + static_cast<double>(table.table->size().count),
                                       .relation = table.table});
      graph().after(task, pre_data_done_);
      for (const Relation* made : {table.table, table.into}) {
        const auto found = task_of_relation_.find(made->oid);
        if (found != task_of_relation_.end()) graph().require(task, found->second);
      }
      data_of_relation_[table.table->oid] = task;
      rows_of_relation_[table.table->oid].push_back(task);
      // Rows that go in through the root may land in any partition below it.
      if (table.into != table.table) {
        for (const Oid member : relations_.tree(table.into->oid)) rows_of_relation_[member].push_back(task);
      }
      graph().after(data_done_, task);
    }
    order_extension_tables();
    if (options_.large_objects && plan_.catalog.large_objects > 0) {
      const TaskId task = graph().add({.kind = TaskKind::kLargeObjects,
                                       .lane = Lane::kCopy,
                                       .name = "large objects",
                                       .cost = static_cast<double>(plan_.catalog.large_objects) * kStatementCost});
      graph().after(task, pre_data_done_);
      graph().after(data_done_, task);
    }
    const TaskId release =
        graph().add({.kind = TaskKind::kReleaseSnapshot, .lane = Lane::kMain, .name = "release of the snapshot"});
    graph().after(release, data_done_);
    if (plan_.catalog.sequences.empty()) return;
    // No snapshot holds sequences still: they are read when all rows are.
    const TaskId sequences = graph().add(
        {.kind = TaskKind::kSequences, .lane = Lane::kCopy, .name = "sequence values", .cost = kStatementCost});
    graph().after(sequences, data_done_);
    graph().after(release, sequences);
    sequences_ = sequences;
  }

  // Their foreign keys are there already when the rows come.
  void order_extension_tables() {
    for (const schema::ForeignKey& key : plan_.catalog.foreign_keys) {
      const Relation* child = plan_.catalog.relation(key.child);
      const auto child_data = data_of_relation_.find(key.child);
      const auto parent_data = data_of_relation_.find(key.parent);
      if (child == nullptr || !child->extension_condition) continue;
      if (child_data == data_of_relation_.end() || parent_data == data_of_relation_.end()) continue;
      graph().require(child_data->second, parent_data->second);
    }
  }

  void add_post_data() {
    main_done_ = add_barrier("definitions after the data");
    graph().after(main_done_, data_done_);
    if (sequences_) graph().after(main_done_, *sequences_);
    for (const TocEntry& entry : plan_.archive.entries) {
      if (!wanted(entry, Section::kPostData, schema::RestorePass::kMain)) continue;
      const schema::Index* key = key_built_before(entry);
      Task task{.kind = entry.kind == "INDEX" ? TaskKind::kIndexBuild : TaskKind::kPostData,
                .lane = Lane::kBuild,
                .name = entry.describe(),
                .cost = kStatementCost + index_cost(entry),
                .claims = relations_.claims(entry),
                .entry = &entry};
      if (key != nullptr) {
        const TaskId build = add_key_index(entry, *key);
        task.cost = kStatementCost;
        task.sql = index::constraint_statement(*key, *plan_.catalog.relation(key->table));
        const TaskId added = add_post_task(entry, std::move(task));
        graph().require(added, build);
      } else {
        add_post_task(entry, std::move(task));
      }
    }
  }

  TaskId add_post_task(const TocEntry& entry, Task task) {
    const TaskId id = graph().add(std::move(task));
    require_dependencies(id, entry);
    require_data(id, entry);
    // What belongs to no relation may still concern rows of any: a domain's constraint that is not valid.
    if (relations_.of(entry).empty()) graph().after(id, data_done_);
    task_of_entry_[entry.dump_id] = id;
    for (const Oid relation : relations_.of(entry)) tasks_on_relation_[relation].push_back(id);
    graph().after(main_done_, id);
    return id;
  }

  // A partition's entry only changes the state of the trigger that its parent's entry makes there. The archive has no
  // dependency for that.
  void order_triggers_of_partitions() {
    const auto triggers_on = [&](Oid relation) {
      std::vector<TaskId> triggers;
      for (const TaskId task : tasks_on_relation_[relation]) {
        if (graph()[task].entry->kind == "TRIGGER") triggers.push_back(task);
      }
      return triggers;
    };
    for (const Relation& relation : plan_.catalog.relations) {
      if (relation.kind != RelationKind::kPartitionedTable) continue;
      for (const TaskId parents : triggers_on(relation.oid)) {
        for (const Oid member : relations_.tree(relation.oid)) {
          if (member == relation.oid) continue;
          for (const TaskId partitions : triggers_on(member)) graph().after(partitions, parents);
        }
      }
    }
  }

  // An index that becomes a key is built like any other; the archive's entry then only adds the constraint.
  TaskId add_key_index(const TocEntry& entry, const schema::Index& key) {
    const TaskId build = graph().add({.kind = TaskKind::kIndexBuild,
                                      .lane = Lane::kBuild,
                                      .name = "index " + key.display(),
                                      .cost = kStatementCost + index_cost(entry),
                                      .claims = {{key.table, index::LockMode::kShare}},
                                      .entry = &entry,
                                      .sql = index::build_statement(key)});
    require_dependencies(build, entry);
    require_data(build, entry);
    return build;
  }

  const schema::Index* key_built_before(const TocEntry& entry) const {
    if (entry.kind != "CONSTRAINT" || entry.catalog_id.table != schema::kPgConstraint) return nullptr;
    const auto found = index_of_constraint_.find(entry.catalog_id.oid);
    if (found == index_of_constraint_.end() || !index::built_before_constraint(*found->second)) return nullptr;
    return found->second;
  }

  double index_cost(const TocEntry& entry) const {
    if (entry.kind != "INDEX" && entry.kind != "CONSTRAINT" && entry.kind != "FK CONSTRAINT") return 0;
    double cost = 0;
    for (const Oid relation : relations_.of(entry)) {
      if (const Relation* table = plan_.catalog.relation(relation)) cost += static_cast<double>(table->heap_size.count);
    }
    return cost / 4;
  }

  // What is built on a table, and triggers that would fire, come after its rows and those of its partitions.
  void require_data(TaskId task, const TocEntry& entry) {
    for (const Oid relation : relations_.of(entry)) {
      for (const Oid member : relations_.tree(relation)) {
        for (const TaskId rows : rows_of_relation_[member]) graph().require(task, rows);
      }
    }
  }

  // Statistics want the indexes on expressions and the statistics objects; foreign keys want the statistics.
  void add_statistics() {
    std::set<Oid> partitions;
    for (const schema::Inheritance& link : plan_.catalog.inheritance) {
      const Relation* parent = plan_.catalog.relation(link.parent);
      if (parent != nullptr && parent->kind == RelationKind::kPartitionedTable) partitions.insert(link.child);
    }
    std::set<Oid> analyzed_by_parent;
    for (const Relation& relation : plan_.catalog.relations) {
      if (relation.kind != RelationKind::kPartitionedTable || partitions.contains(relation.oid)) continue;
      if (has_foreign_partition(relation)) continue;
      for (const Oid member : relations_.tree(relation.oid)) analyzed_by_parent.insert(member);
    }
    for (const Relation& relation : plan_.catalog.relations) {
      const auto data = data_of_relation_.find(relation.oid);
      const bool copied = data != data_of_relation_.end();
      const bool topmost_parent =
          relation.kind == RelationKind::kPartitionedTable && !partitions.contains(relation.oid);
      if (!copied && !topmost_parent) continue;
      if (topmost_parent && has_foreign_partition(relation)) {
        plan_.skipped.push_back(fmt::format(
            "statistics of {} as a whole: they would be gathered from the servers of its foreign partitions too",
            relation.display()));
        continue;
      }
      // The topmost partitioned table's ANALYZE does all its partitions too.
      const bool by_parent = copied && analyzed_by_parent.contains(relation.oid);
      const TaskId task = graph().add({.kind = TaskKind::kStatistics,
                                       .lane = Lane::kBuild,
                                       .name = "statistics of " + relation.display(),
                                       .cost = kStatementCost + static_cast<double>(relation.heap_size.count) / 8,
                                       .claims = statistics_claims(relation, topmost_parent),
                                       .relation = &relation,
                                       .sql = fmt::format("{} {}",
                                                          topmost_parent ? "ANALYZE"
                                                          : by_parent    ? "VACUUM"
                                                                         : "VACUUM (ANALYZE)",
                                                          relation.quoted())});
      for (const Oid member : relations_.tree(relation.oid)) {
        for (const TaskId rows : rows_of_relation_[member]) graph().after(task, rows);
        for (const TaskId built : tasks_on_relation_[member]) {
          if (graph()[built].entry->kind != "FK CONSTRAINT" && precedes_statistics(graph()[built])) {
            graph().after(task, built);
          }
        }
      }
      if (copied) graph().require(task, data->second);
      statistics_of_relation_[relation.oid] = task;
      graph().after(main_done_, task);
    }
  }

  bool has_foreign_partition(const Relation& relation) const {
    const std::vector<Oid> members = relations_.tree(relation.oid);
    return std::any_of(members.begin(), members.end(), [&](Oid member) {
      const Relation* found = plan_.catalog.relation(member);
      return found != nullptr && found->kind == RelationKind::kForeignTable;
    });
  }

  static bool precedes_statistics(const Task& task) {
    const std::string& kind = task.entry->kind;
    return kind == "INDEX" || kind == "CONSTRAINT" || kind == "STATISTICS";
  }

  std::vector<index::LockClaim> statistics_claims(const Relation& relation, bool whole_tree) const {
    std::vector<index::LockClaim> claims;
    for (const Oid member : whole_tree ? relations_.tree(relation.oid) : std::vector<Oid>{relation.oid}) {
      claims.push_back({member, index::LockMode::kShareUpdateExclusive});
    }
    return claims;
  }

  void wait_for_statistics() {
    for (const auto& [dump_id, task] : task_of_entry_) {
      if (graph()[task].entry->kind != "FK CONSTRAINT") continue;
      for (const Oid relation : relations_.of(*graph()[task].entry)) {
        const auto found = statistics_of_relation_.find(relation);
        if (found != statistics_of_relation_.end()) graph().after(task, found->second);
      }
    }
  }

  void add_acls() {
    acls_done_ = add_barrier("privileges");
    graph().after(acls_done_, main_done_);
    for (const TocEntry& entry : plan_.archive.entries) {
      if (entry.pass() != schema::RestorePass::kAcl || !schema::is_restored(entry, plan_.restore)) continue;
      const TaskId task = graph().add({.kind = TaskKind::kAcl,
                                       .lane = Lane::kMain,
                                       .name = entry.describe(),
                                       .cost = kStatementCost,
                                       .entry = &entry});
      graph().after(task, main_done_);
      require_dependencies(task, entry);
      graph().after(acls_done_, task);
    }
  }

  // Materialized views, then event triggers, then what concerns the database as a whole.
  void add_last() {
    const TaskId views_done = add_barrier("materialized views");
    graph().after(views_done, acls_done_);
    std::vector<const TocEntry*> others;
    for (const TocEntry& entry : plan_.archive.entries) {
      if (!wanted(entry, Section::kPostData, schema::RestorePass::kPostAcl)) continue;
      if (entry.kind != "MATERIALIZED VIEW DATA") {
        others.push_back(&entry);
        continue;
      }
      Task refresh{.kind = TaskKind::kMaterializedView,
                   .lane = Lane::kBuild,
                   .name = entry.describe(),
                   .cost = kStatementCost,
                   .claims = relations_.claims(entry),
                   .entry = &entry};
      if (const Relation* view = view_of(entry)) {
        refresh.cost += static_cast<double>(view->size().count);
        refresh.relation = view;
      }
      const TaskId task = graph().add(std::move(refresh));
      graph().after(task, acls_done_);
      require_dependencies(task, entry);
      task_of_entry_[entry.dump_id] = task;
      graph().after(views_done, task);
    }
    const TaskId triggers_done = add_barrier("event triggers");
    graph().after(triggers_done, views_done);
    for (const TocEntry* entry : others) {
      const TaskId task = graph().add({.kind = TaskKind::kEventTrigger,
                                       .lane = Lane::kMain,
                                       .name = entry->describe(),
                                       .cost = kStatementCost,
                                       .entry = entry});
      graph().after(task, views_done);
      require_dependencies(task, *entry);
      task_of_entry_[entry->dump_id] = task;
      graph().after(triggers_done, task);
    }
    std::vector<TaskId> properties_done;
    for (const schema::DatabaseProperty& property : plan_.properties) {
      const TaskId task = graph().add({.kind = TaskKind::kDatabaseProperty,
                                       .lane = Lane::kMain,
                                       .name = property.description,
                                       .cost = kStatementCost,
                                       .sql = property.statement});
      graph().after(task, triggers_done);
      properties_done.push_back(task);
    }
    const TaskId durable =
        graph().add({.kind = TaskKind::kDurability, .lane = Lane::kMain, .name = "flush of the target's log"});
    graph().after(durable, triggers_done);
    for (const TaskId task : properties_done) graph().after(durable, task);
  }

  const Relation* view_of(const TocEntry& entry) const {
    for (const Oid relation : relations_.of(entry)) {
      const Relation* view = plan_.catalog.relation(relation);
      if (view != nullptr && view->kind == RelationKind::kMaterializedView && view->name == entry.tag) return view;
    }
    return nullptr;
  }

  Plan& plan_;
  const CloneOptions& options_;
  const schema::TargetInventory& inventory_;
  index::EntryRelations relations_;
  std::map<Oid, const schema::Index*> index_of_constraint_;
  std::map<int, TaskId> task_of_entry_;
  std::map<Oid, TaskId> task_of_relation_;
  std::map<Oid, TaskId> data_of_relation_;
  /// All tasks that bring rows into a relation.
  std::map<Oid, std::vector<TaskId>> rows_of_relation_;
  std::map<Oid, std::vector<TaskId>> tasks_on_relation_;
  std::map<Oid, TaskId> statistics_of_relation_;
  std::optional<TaskId> sequences_;
  TaskId pre_data_done_ = 0;
  TaskId data_done_ = 0;
  TaskId main_done_ = 0;
  TaskId acls_done_ = 0;
};

}  // namespace

void build_graph(Plan& plan, const CloneOptions& options, const schema::TargetInventory& inventory) {
  GraphBuilder(plan, options, inventory).build();
}

}  // namespace pgsluice::pipeline
