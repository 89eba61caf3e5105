#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "index/foreign_key.h"
#include "index/index_build.h"
#include "pg/version.h"
#include "pipeline/plan/graph_stages.h"

namespace pgsluice::pipeline {

namespace {

using schema::EntryKind;
using schema::Oid;
using schema::Relation;
using schema::TocEntry;

bool builds_index(const TocEntry& entry) { return entry.kind.is_one_of({EntryKind::kIndex, EntryKind::kConstraint}); }

class PostDataStage {
 public:
  PostDataStage(GraphState& state, PreData& pre_data, Rows& rows)
      : state_(state),
        pre_data_(pre_data),
        rows_(rows),
        made_{.done = state.add_barrier("definitions after the data"), .on_relation = {}, .foreign_key_checks = {}} {
    for (const schema::Index& index : state.plan.catalog.indexes) {
      if (index.constraint != 0) index_of_constraint_[index.constraint] = &index;
      if (index.calls_functions) function_indexes_.insert(index.oid);
    }
    for (const schema::ForeignKey& key : state.plan.catalog.foreign_keys) foreign_keys_[key.oid] = &key;
    for (const schema::Inheritance& inheritance : state.plan.catalog.inheritance) children_.insert(inheritance.child);
  }

  PostData add() {
    graph().after(made_.done, rows_.done);
    if (rows_.sequences) graph().after(made_.done, *rows_.sequences);
    for (const TocEntry& entry : state_.plan.archive.entries) {
      if (state_.wanted(entry, schema::Section::kPostData, schema::RestorePass::kMain)) add_entry(entry);
    }
    if (state_.options.verify) add_verifications();
    order_triggers_of_partitions();
    attach_indexes_from_the_bottom();
    load_after_indexes_named_in_rows();
    return std::move(made_);
  }

 private:
  TaskGraph& graph() { return state_.graph(); }

  void add_entry(const TocEntry& entry) {
    Task task{.kind = entry.kind == EntryKind::kIndex ? TaskKind::kIndexBuild : TaskKind::kPostData,
              .lane = Lane::kBuild,
              .name = entry.describe(),
              .cost = kStatementCost + state_.costs.building(entry),
              .claims = state_.relations.claims(entry),
              .entry = &entry};
    if (const schema::Index* key = key_built_before(entry)) {
      const TaskId build = add_key_index(entry, *key);
      task.cost = kStatementCost;
      task.sql = index::constraint_statement(*key, *state_.plan.catalog.relation(key->table));
      graph().require(add_task(entry, std::move(task)), build);
      return;
    }
    if (entry.kind == EntryKind::kFkConstraint) return add_foreign_key(entry, std::move(task));
    add_task(entry, std::move(task));
  }

  TaskId add_task(const TocEntry& entry, Task task) {
    const TaskId id = graph().add(std::move(task));
    place(id, entry);
    state_.task_of_entry[entry.dump_id] = id;
    for (const Oid relation : state_.relations.of(entry)) made_.on_relation[relation].push_back(id);
    graph().after(made_.done, id);
    return id;
  }

  void place(TaskId id, const TocEntry& entry) {
    pre_data_.keep_out_of_the_way(state_, id, pre_data_.touched_by(state_, entry));
    state_.require_dependencies(id, entry);
    require_data(id, entry);
    // An entry of no relation may still concern rows of any: a domain's constraint that is not valid.
    if (state_.relations.of(entry).empty()) wait_for_all_rows(id);
  }

  void wait_for_all_rows(TaskId task) {
    graph().after(task, rows_.done);
    after_all_rows_.insert(task);
  }

  // Objects that are built on a table, and triggers that would fire, come after its rows and those of its partitions.
  void require_data(TaskId task, const TocEntry& entry) {
    for (const Oid relation : state_.relations.of(entry)) {
      rows_.require_below(state_, task, relation,
                          builds_index(entry) ? Rows::NamingIndexes::kExcluded : Rows::NamingIndexes::kIncluded);
    }
    // A function of the user's may read any other table.
    if (calls_functions(entry)) wait_for_all_rows(task);
  }

  bool calls_functions(const TocEntry& entry) const {
    if (entry.kind == EntryKind::kIndex) return function_indexes_.contains(entry.catalog_id.oid);
    const auto key = index_of_constraint_.find(entry.catalog_id.oid);
    return entry.kind == EntryKind::kConstraint && key != index_of_constraint_.end() && key->second->calls_functions;
  }

  // An index that becomes a key is built like any other; the archive's entry then only adds the constraint.
  TaskId add_key_index(const TocEntry& entry, const schema::Index& key) {
    const TaskId build = graph().add({.kind = TaskKind::kIndexBuild,
                                      .lane = Lane::kBuild,
                                      .name = "index " + key.display(),
                                      .cost = kStatementCost + state_.costs.building(entry),
                                      .claims = {{key.table, index::LockMode::kShare}},
                                      .entry = &entry,
                                      .sql = index::build_statement(key)});
    place(build, entry);
    return build;
  }

  const schema::Index* key_built_before(const TocEntry& entry) const {
    if (entry.kind != EntryKind::kConstraint || entry.catalog_id.table != schema::kPgConstraint) return nullptr;
    const auto found = index_of_constraint_.find(entry.catalog_id.oid);
    if (found == index_of_constraint_.end() || !index::built_before_constraint(*found->second)) return nullptr;
    // From 18 on, PRIMARY KEY USING INDEX makes a NOT NULL that was inherited the child's own.
    const bool may_inherit = found->second->constraint_type == 'p' && children_.contains(found->second->table);
    if (may_inherit && state_.plan.restore.target_version >= pg::since::kNotNullConstraints) return nullptr;
    return found->second;
  }

  // A key is made without looking at its rows, and then validated; one of a partitioned table that way on each of its
  // leaves, from where it is adopted.
  void add_foreign_key(const TocEntry& entry, Task task) {
    const auto found = foreign_keys_.find(entry.catalog_id.oid);
    const schema::ForeignKey* key = found == foreign_keys_.end() ? nullptr : found->second;
    const std::optional<std::string> not_valid = index::not_valid_statement(entry.definition);
    if (key != nullptr && key->to_partitioned && not_valid && knows_tables_of(*key)) {
      task.sql_that_counts = index::orphans_query(*key, *relation(key->child), *relation(key->parent));
      task.sql_that_validates = index::validate_statement(*key, *relation(key->child));
    }
    if (key == nullptr || !key->validated_apart || !not_valid || !knows_tables_of(*key)) {
      made_.foreign_key_checks.emplace_back(add_task(entry, std::move(task)), &entry);
      return;
    }
    const double cost = std::exchange(task.cost, kStatementCost);
    if (relation(key->child)->kind != schema::RelationKind::kPartitionedTable) {
      task.sql = *not_valid;
      add_validation(entry, *key, add_task(entry, std::move(task)), cost);
      return;
    }
    const TaskId adopted = add_task(entry, std::move(task));
    for (const schema::LeafForeignKey& leaf : key->leaves) {
      const TaskId made = add_on_leaf(entry, *key, leaf);
      schema::ForeignKey own = *key;
      own.child = leaf.child;
      own.name = leaf.name;
      const double share = cost / static_cast<double>(key->leaves.size());
      graph().require(adopted, add_validation(entry, own, made, share));
    }
  }

  const Relation* relation(Oid oid) const { return state_.plan.catalog.relation(oid); }

  // An extension's own tables are not in the catalog.
  bool knows_tables_of(const schema::ForeignKey& key) const {
    return relation(key.child) != nullptr && relation(key.parent) != nullptr &&
           std::all_of(key.leaves.begin(), key.leaves.end(),
                       [&](const schema::LeafForeignKey& leaf) { return relation(leaf.child) != nullptr; });
  }

  TaskId add_on_leaf(const TocEntry& entry, const schema::ForeignKey& key, const schema::LeafForeignKey& leaf) {
    const Relation& child = *relation(leaf.child);
    const TaskId made = graph().add({.kind = TaskKind::kPostData,
                                     .lane = Lane::kBuild,
                                     .name = fmt::format("{} on partition {}", entry.describe(), child.display()),
                                     .cost = kStatementCost,
                                     .claims = {{child.oid, index::LockMode::kShareRowExclusive},
                                                {key.parent, index::LockMode::kShareRowExclusive}},
                                     .entry = &entry,
                                     .sql = index::not_valid_statement(leaf, child)});
    place(made, entry);
    return made;
  }

  // Under locks that let other keys of the same parent be validated beside it.
  TaskId add_validation(const TocEntry& entry, const schema::ForeignKey& key, TaskId made, double cost) {
    const Relation& child = *relation(key.child);
    const Relation& parent = *relation(key.parent);
    Task validation{.kind = TaskKind::kValidation,
                    .lane = Lane::kBuild,
                    .name = "validation of " + graph()[made].name,
                    .cost = cost,
                    .claims = {{child.oid, index::LockMode::kShareUpdateExclusive}},
                    .entry = &entry,
                    .sql = index::validate_statement(key, child),
                    .sql_that_counts = index::orphans_query(key, child, parent)};
    if (parent.oid != child.oid) validation.claims.push_back({parent.oid, index::LockMode::kRowShare});
    const TaskId validated = graph().add(std::move(validation));
    graph().require(validated, made);
    graph().after(made_.done, validated);
    made_.foreign_key_checks.emplace_back(validated, &entry);
    return validated;
  }

  // Verifies each table that rows go into, once.
  void add_verifications() {
    std::map<Oid, const TablePlan*> tables;
    std::map<Oid, std::string> reasons;
    for (const TablePlan& table : state_.plan.tables) {
      tables.emplace(table.into->oid, &table);
      if (std::optional<std::string> reason = why_not_verified(*table.into, table)) {
        reasons[table.into->oid] = std::move(*reason);
      }
    }
    for (const auto& [oid, table] : tables) {
      const Relation& into = *table->into;
      if (const auto reason = reasons.find(oid); reason != reasons.end()) {
        state_.plan.skipped.push_back(fmt::format("verification of table {}: {}", into.display(), reason->second));
        continue;
      }
      Task task{.kind = TaskKind::kVerification,
                .lane = Lane::kBuild,
                .name = "verification of table " + into.display(),
                .cost = kStatementCost + static_cast<double>(into.size().count),
                .claims = {},
                .relation = &into,
                .table = table};
      for (const Oid member : state_.relations.tree(oid)) task.claims.push_back({member, index::LockMode::kRowShare});
      const TaskId id = graph().add(std::move(task));
      for (const TaskId rows : rows_.below(state_, oid)) graph().require(id, rows);
      graph().after(made_.done, id);
    }
  }

  // Floating-point numbers are other texts before 12.
  std::optional<std::string> why_not_verified(const Relation& into, const TablePlan& table) const {
    const schema::Catalog& catalog = state_.plan.catalog;
    if (!state_.options.archive.empty()) {
      if (schema::may_hold_money(catalog.types, table.table->column_types)) {
        return "amounts of money are other texts here than in the archive";
      }
      if (table.table->columns != into.columns) return "its columns have another order here than in the archive";
    }
    if (table.format == copy::CopyFormat::kBinary || catalog.server_version >= pg::since::kShortestFloats)
      return std::nullopt;
    for (const Oid type : into.column_types) {
      const auto found = catalog.types.find(type);
      if (found == catalog.types.end()) continue;
      if (found->second.name == "real" || found->second.name == "double precision") {
        return "it crosses as text, and the source writes floating-point numbers as other texts than the target";
      }
    }
    return std::nullopt;
  }

  // A partition's entry only changes the state of the trigger that its parent's entry makes there. The archive has no
  // dependency for that.
  void order_triggers_of_partitions() {
    std::map<Oid, TaskId> task_of_trigger;
    for (const auto& [dump_id, task] : state_.task_of_entry) {
      const schema::CatalogId& id = graph()[task].entry->catalog_id;
      if (id.table == schema::kPgTrigger) task_of_trigger[id.oid] = task;
    }
    std::map<Oid, Oid> parents;
    for (const schema::Trigger& trigger : state_.plan.catalog.triggers) parents[trigger.oid] = trigger.parent;
    for (const auto& [trigger, task] : task_of_trigger) {
      // A trigger between them that differs in nothing has no entry.
      for (Oid parent = parents[trigger]; parent != 0; parent = parents[parent]) {
        const auto made_by = task_of_trigger.find(parent);
        if (made_by != task_of_trigger.end()) graph().after(task, made_by->second);
      }
    }
  }

  // When an index in the middle of a tree gets its last one from below while another session attaches to the one above,
  // neither of them may see that the one above is whole: it stays invalid (tried on 15: 52 of 1,500 trees, and none
  // from the bottom up). The archive has no dependency for that.
  void attach_indexes_from_the_bottom() {
    std::map<Oid, std::vector<TaskId>> attached_to;  // by the table of the index above
    std::map<TaskId, Oid> table_below;
    for (const auto& [dump_id, task] : state_.task_of_entry) {
      const TocEntry& entry = *graph()[task].entry;
      if (entry.kind != EntryKind::kIndexAttach) continue;
      const std::vector<Oid>& tables = state_.relations.of(entry);
      for (const Oid below : tables) {
        for (const Oid above : state_.relations.ancestors(below)) {
          if (std::find(tables.begin(), tables.end(), above) == tables.end()) continue;
          attached_to[above].push_back(task);
          table_below[task] = below;
        }
      }
    }
    for (const auto& [task, below] : table_below) {
      for (const TaskId before : attached_to[below]) graph().after(task, before);
    }
  }

  // Values that name indexes can be stored when these are there: such a table's own are made while it is empty, and its
  // rows come after all others.
  void load_after_indexes_named_in_rows() {
    for (const auto& [relation, parts] : rows_.of_table) {
      for (const TaskId rows : parts) {
        if (!graph()[rows].relation->names_indexes) continue;
        for (TaskId task = 0; task < graph().size(); ++task) {
          const TocEntry* entry = graph()[task].entry;
          if (entry == nullptr || !builds_index(*entry) || after_all_rows_.contains(task)) continue;
          graph().after(rows, task);
        }
      }
    }
  }

  GraphState& state_;
  PreData& pre_data_;
  Rows& rows_;
  PostData made_;
  std::set<TaskId> after_all_rows_;
  std::map<Oid, const schema::Index*> index_of_constraint_;
  std::map<Oid, const schema::ForeignKey*> foreign_keys_;
  /// Indexes that call functions of the user's.
  std::set<Oid> function_indexes_;
  /// Partitions and inheritance children.
  std::set<Oid> children_;
};

}  // namespace

PostData add_post_data(GraphState& state, PreData& pre_data, Rows& rows) {
  return PostDataStage(state, pre_data, rows).add();
}

}  // namespace pgsluice::pipeline
