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
#include "pgsluice/pipeline/entry_filter.h"
#include "pgsluice/pipeline/task_costs.h"

namespace pgsluice::pipeline {

namespace {

using schema::Oid;
using schema::Relation;
using schema::RelationKind;
using schema::Section;
using schema::TocEntry;

bool builds_index(const TocEntry& entry) { return entry.kind == "INDEX" || entry.kind == "CONSTRAINT"; }

// Adds the tasks of one plan to its graph, stage by stage.
class GraphBuilder {
 public:
  GraphBuilder(Plan& plan, const CloneOptions& options, const schema::TargetInventory& inventory)
      : plan_(plan),
        options_(options),
        inventory_(inventory),
        relations_(plan.archive, plan.catalog),
        costs_(plan.catalog, relations_) {}

  void build() {
    map_indexes();
    add_pre_data();
    add_data();
    add_post_data();
    order_triggers_of_partitions();
    put_rows_behind_the_indexes_they_name();
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

  // Whether an entry stays away from this target, which is then reported.
  bool is_left_out(const TocEntry& entry) {
    const std::optional<std::string> reason = reason_to_leave_out(entry, inventory_);
    if (reason) plan_.skipped.push_back(fmt::format("{}: {}", entry.describe(), *reason));
    return reason.has_value();
  }

  void map_indexes() {
    for (const schema::Index& index : plan_.catalog.indexes) {
      if (index.constraint != 0) index_of_constraint_[index.constraint] = &index;
      if (index.calls_functions) function_indexes_.insert(index.oid);
    }
  }

  std::vector<TaskId> dependencies_of(const TocEntry& entry) const {
    std::vector<TaskId> tasks;
    for (const int dependency : entry.dependencies) {
      const auto found = task_of_entry_.find(dependency);
      if (found != task_of_entry_.end()) tasks.push_back(found->second);
    }
    if (entry.kind != "USER MAPPING") return tasks;
    // The archive names its server only in the tag.
    for (const auto& [server, task] : task_of_server_) {
      if (entry.tag.ends_with(" SERVER " + server)) tasks.push_back(task);
    }
    return tasks;
  }

  void require_dependencies(TaskId task, const TocEntry& entry) {
    for (const TaskId needed : dependencies_of(entry)) graph().require(task, needed);
  }

  void add_pre_data() {
    pre_data_done_ = add_barrier("definitions before the data");
    for (const TocEntry& entry : plan_.archive.entries) {
      if (!wanted(entry, Section::kPreData, schema::RestorePass::kMain)) continue;
      if (is_left_out(entry)) continue;
      const TaskId task = graph().add({.kind = TaskKind::kPreData,
                                       .lane = Lane::kMain,
                                       .name = entry.describe(),
                                       .cost = kStatementCost,
                                       .entry = &entry});
      for (const TaskId needed : dependencies_of(entry)) graph().require_in_order(task, needed);
      task_of_entry_[entry.dump_id] = task;
      if (entry.kind == "SERVER") task_of_server_[entry.tag] = task;
      if (is_relation(entry)) task_of_relation_[entry.catalog_id.oid] = task;
      graph().after(pre_data_done_, task);
    }
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
                .cost = kStatementCost + costs_.building(entry),
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
    graph().after(id, pre_data_done_);  // which nothing may disturb: it is not tried again
    require_dependencies(id, entry);
    require_data(id, entry);
    // What belongs to no relation may still concern rows of any: a domain's constraint that is not valid.
    if (relations_.of(entry).empty()) wait_for_all_data(id);
    task_of_entry_[entry.dump_id] = id;
    for (const Oid relation : relations_.of(entry)) tasks_on_relation_[relation].push_back(id);
    graph().after(main_done_, id);
    return id;
  }

  // A partition's entry only changes the state of the trigger that its parent's entry makes there. The archive has no
  // dependency for that.
  void order_triggers_of_partitions() {
    std::map<Oid, TaskId> task_of_trigger;
    for (const auto& [dump_id, task] : task_of_entry_) {
      const schema::CatalogId& id = graph()[task].entry->catalog_id;
      if (id.table == schema::kPgTrigger) task_of_trigger[id.oid] = task;
    }
    std::map<Oid, Oid> parents;
    for (const schema::Trigger& trigger : plan_.catalog.triggers) parents[trigger.oid] = trigger.parent;
    for (const auto& [trigger, task] : task_of_trigger) {
      // A trigger between them that differs in nothing has no entry.
      for (Oid parent = parents[trigger]; parent != 0; parent = parents[parent]) {
        const auto made_by = task_of_trigger.find(parent);
        if (made_by != task_of_trigger.end()) graph().after(task, made_by->second);
      }
    }
  }

  // An index that becomes a key is built like any other; the archive's entry then only adds the constraint.
  TaskId add_key_index(const TocEntry& entry, const schema::Index& key) {
    const TaskId build = graph().add({.kind = TaskKind::kIndexBuild,
                                      .lane = Lane::kBuild,
                                      .name = "index " + key.display(),
                                      .cost = kStatementCost + costs_.building(entry),
                                      .claims = {{key.table, index::LockMode::kShare}},
                                      .entry = &entry,
                                      .sql = index::build_statement(key)});
    graph().after(build, pre_data_done_);
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

  // What is built on a table, and triggers that would fire, come after its rows and those of its partitions.
  void require_data(TaskId task, const TocEntry& entry) {
    for (const Oid relation : relations_.of(entry)) {
      for (const Oid member : relations_.tree(relation)) {
        for (const TaskId rows : rows_of_relation_[member]) {
          if (!builds_index(entry) || !graph()[rows].relation->names_indexes) graph().require(task, rows);
        }
      }
    }
    // A function of the user's may read any other table.
    if (calls_functions(entry)) wait_for_all_data(task);
  }

  bool calls_functions(const TocEntry& entry) const {
    if (entry.kind == "INDEX") return function_indexes_.contains(entry.catalog_id.oid);
    const auto key = index_of_constraint_.find(entry.catalog_id.oid);
    return entry.kind == "CONSTRAINT" && key != index_of_constraint_.end() && key->second->calls_functions;
  }

  void wait_for_all_data(TaskId task) {
    graph().after(task, data_done_);
    after_all_data_.insert(task);
  }

  // Values that name indexes can be stored when these are there: such a table's own are made while it is empty, and its
  // rows come after all others.
  void put_rows_behind_the_indexes_they_name() {
    for (const auto& [relation, rows] : data_of_relation_) {
      if (!graph()[rows].relation->names_indexes) continue;
      for (TaskId task = 0; task < graph().size(); ++task) {
        const TocEntry* entry = graph()[task].entry;
        if (entry == nullptr || !builds_index(*entry) || after_all_data_.contains(task)) continue;
        graph().after(rows, task);
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
      if (has_foreign_member(relation)) continue;
      for (const Oid member : relations_.tree(relation.oid)) analyzed_by_parent.insert(member);
    }
    for (const Relation& relation : plan_.catalog.relations) {
      const auto data = data_of_relation_.find(relation.oid);
      const bool copied = data != data_of_relation_.end();
      const bool topmost_parent =
          relation.kind == RelationKind::kPartitionedTable && !partitions.contains(relation.oid);
      if (!copied && !topmost_parent) continue;
      if (has_foreign_member(relation)) {
        plan_.skipped.push_back(fmt::format(
            "statistics of {} as a whole: they would be gathered from the servers of its foreign tables too",
            relation.display()));
        if (topmost_parent) continue;
      }
      const TaskId task =
          graph().add({.kind = TaskKind::kStatistics,
                       .lane = Lane::kBuild,
                       .name = "statistics of " + relation.display(),
                       .cost = kStatementCost + costs_.statistics(relation),
                       .claims = statistics_claims(relation, topmost_parent),
                       .relation = &relation,
                       .sql = std::string(statistics_command(relation, analyzed_by_parent.contains(relation.oid))) +
                              relation.quoted()});
      if (relation.statistics_call_functions) wait_for_all_data(task);
      graph().after(task, pre_data_done_);  // a partitioned table without partitions waits for no rows
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

  // Before the table's name.
  std::string_view statistics_command(const Relation& relation, bool with_its_parent) const {
    if (relation.kind == RelationKind::kPartitionedTable) return "ANALYZE ";
    // The topmost partitioned table's ANALYZE does all its partitions too.
    return with_its_parent || has_foreign_member(relation) ? "VACUUM " : "VACUUM (ANALYZE) ";
  }

  bool has_foreign_member(const Relation& relation) const {
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
    std::map<int, TaskId> last_acl;
    for (const TocEntry& entry : plan_.archive.entries) {
      if (entry.pass() != schema::RestorePass::kAcl || !schema::is_restored(entry, plan_.restore)) continue;
      if (is_left_out(entry)) continue;
      const TaskId task = graph().add({.kind = TaskKind::kAcl,
                                       .lane = Lane::kMain,
                                       .name = entry.describe(),
                                       .cost = kStatementCost,
                                       .entry = &entry});
      graph().after(task, main_done_);
      require_dependencies(task, entry);
      task_of_entry_[entry.dump_id] = task;
      // Privileges of a column come behind the table's, which begin with REVOKE ALL. They may be tried again, so the
      // order of sending does not keep them apart; and not every pg_dump names the dependency.
      const int object = entry.dependencies.empty() ? 0 : entry.dependencies.front();
      if (const auto before = last_acl.find(object); before != last_acl.end()) graph().after(task, before->second);
      last_acl[object] = task;
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
                   .cost = kMostCostTogether,  // a small view may come of a long query
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
  TaskCosts costs_;
  std::map<Oid, const schema::Index*> index_of_constraint_;
  /// Those that call functions of the user's.
  std::set<Oid> function_indexes_;
  std::map<int, TaskId> task_of_entry_;
  std::map<std::string, TaskId> task_of_server_;
  std::map<Oid, TaskId> task_of_relation_;
  std::map<Oid, TaskId> data_of_relation_;
  /// All tasks that bring rows into a relation.
  std::map<Oid, std::vector<TaskId>> rows_of_relation_;
  std::map<Oid, std::vector<TaskId>> tasks_on_relation_;
  std::map<Oid, TaskId> statistics_of_relation_;
  /// Tasks that wait for the rows of every table.
  std::set<TaskId> after_all_data_;
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
