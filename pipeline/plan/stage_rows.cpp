#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <utility>

#include "pipeline/plan/graph_stages.h"

namespace pgsluice::pipeline {

namespace {

using schema::Oid;
using schema::Relation;

std::string name_of_rows(const TablePlan& table, std::size_t part) {
  std::string name = "rows of table " + table.table->display();
  if (table.ranges.size() > 1) name += fmt::format(", part {} of {}", part + 1, table.ranges.size());
  return name;
}

// Values of regclass, regtype, … are names, which the target looks up when they arrive. What a type of the user's is
// made of is not looked at: it may hold them.
bool may_name_objects(const schema::Catalog& catalog, const Relation& table) {
  const auto may_hold_names = [&](Oid type) {
    for (auto found = catalog.types.find(type); found != catalog.types.end();) {
      const schema::ColumnType& of = found->second;
      if (of.form == schema::ColumnType::Form::kComposite) return true;
      if (of.built_in && of.base == 0) return of.name.rfind("reg", 0) == 0;
      found = of.base == 0 ? catalog.types.end() : catalog.types.find(of.base);
    }
    return false;
  };
  return std::any_of(table.column_types.begin(), table.column_types.end(), may_hold_names);
}

void add_part(GraphState& state, PreData& pre_data, Rows& made, const TablePlan& table, std::size_t part) {
  const copy::RowRange& range = table.ranges[part];
  const TaskId task = state.graph().add({.kind = TaskKind::kTableData,
                                         .lane = Lane::kCopy,
                                         .name = name_of_rows(table, part),
                                         .cost = kStatementCost + static_cast<double>(range.size.count),
                                         .relation = table.table,
                                         .table = &table,
                                         .range = &range});
  for (const Relation* relation : {table.table, table.into}) {
    const auto found = pre_data.task_of_relation.find(relation->oid);
    if (found != pre_data.task_of_relation.end()) state.graph().require(task, found->second);
  }
  std::set<Oid> touched = {table.table->oid, table.into->oid};
  // ATTACH of a sibling locks and scans a default partition.
  for (const Oid ancestor : state.relations.ancestors(table.table->oid)) touched.insert(ancestor);
  pre_data.keep_out_of_the_way(state, task, touched);
  // An extension's table has no entry of its own; the body of a function may name anything, and so may values of types
  // that an archive does not tell.
  const bool are_types_known = table.table->column_types.size() == table.table->columns.size();
  if (table.table->extension_condition || table.table->rows_call_functions || !are_types_known ||
      may_name_objects(state.plan.catalog, *table.table)) {
    state.graph().after(task, pre_data.done);
  }
  made.of_table[table.table->oid].push_back(task);
  made.into[table.table->oid].push_back(task);
  // Rows that go in through the root may land in any partition below it.
  if (table.into != table.table) {
    for (const Oid member : state.relations.tree(table.into->oid)) made.into[member].push_back(task);
  }
  state.graph().after(made.done, task);
}

// Their foreign keys are there already when the rows come.
void order_extension_tables(GraphState& state, Rows& made) {
  for (const schema::ForeignKey& key : state.plan.catalog.foreign_keys) {
    const Relation* child = state.plan.catalog.relation(key.child);
    const auto child_data = made.of_table.find(key.child);
    const auto parent_data = made.of_table.find(key.parent);
    if (child == nullptr || !child->extension_condition) continue;
    if (child_data == made.of_table.end() || parent_data == made.of_table.end()) continue;
    for (const TaskId rows : child_data->second) {
      for (const TaskId before : parent_data->second) state.graph().require(rows, before);
    }
  }
}

// Ranks tables so that parents come before their children wherever the keys make no circle.
class ParentsFirst {
 public:
  explicit ParentsFirst(const std::set<std::pair<Oid, Oid>>& keys) : keys_(keys) {
    for (const auto& [child, parent] : keys) visit(child);
  }

  bool is_before(Oid parent, Oid child) const { return ranks_.at(parent) < ranks_.at(child); }

 private:
  void visit(Oid table) {
    if (!visited_.insert(table).second) return;
    for (auto key = keys_.lower_bound({table, 0}); key != keys_.end() && key->first == table; ++key) {
      visit(key->second);
    }
    ranks_[table] = ranks_.size();
  }

  const std::set<std::pair<Oid, Oid>>& keys_;
  std::set<Oid> visited_;
  std::map<Oid, std::size_t> ranks_;
};

// Into tables that others have made, with their foreign keys.
void order_by_keys_on_target(GraphState& state, Rows& made) {
  const std::set<std::pair<Oid, Oid>>& keys = state.plan.existing.foreign_keys;
  const ParentsFirst order(keys);
  for (const auto& [child, parent] : keys) {
    if (child == parent || !order.is_before(parent, child)) continue;
    for (const TaskId rows : made.below(state, child)) {
      for (const TaskId before : made.below(state, parent)) {
        if (rows != before) state.graph().after(rows, before);
      }
    }
  }
}

// True if a text has a name as a word of its own.
bool mentions(const std::string& text, const std::string& name) {
  const auto is_part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const bool begins = at == 0 || !is_part(text[at - 1]);
    const bool ends = at + name.size() == text.size() || !is_part(text[at + name.size()]);
    if (begins && ends) return true;
  }
  return false;
}

bool reads(const Relation& table, const Relation& other) {
  return std::any_of(table.bodies_of_row_functions.begin(), table.bodies_of_row_functions.end(),
                     [&](const std::string& body) { return mentions(body, other.name); });
}

// A generated column, a CHECK or a partition's key may call a function that reads other tables, and would find nothing
// there, often without an error. So these rows come after all others, and after each other where a function's source
// names the other table.
//
// Not into tables with foreign keys of others' making, whose order is another one already.
void load_after_tables_that_functions_read(GraphState& state, Rows& made) {
  if (!state.plan.existing.foreign_keys.empty()) return;
  std::vector<const TablePlan*> reading;
  std::vector<const TablePlan*> others;
  for (const TablePlan& table : state.plan.tables) {
    const bool has_own_order = table.table->extension_condition || table.table->names_indexes;
    if (!has_own_order) (table.table->bodies_of_row_functions.empty() ? others : reading).push_back(&table);
  }
  if (reading.empty()) return;
  const auto rows_of = [&](const TablePlan* table) { return made.of_table[table->table->oid]; };
  const TaskId others_done = state.add_barrier("rows of tables whose functions read no others");
  for (const TablePlan* table : others) {
    for (const TaskId rows : rows_of(table)) state.graph().after(others_done, rows);
  }
  std::set<std::pair<Oid, Oid>> read_by;
  for (const TablePlan* table : reading) {
    for (const TaskId rows : rows_of(table)) state.graph().after(rows, others_done);
    for (const TablePlan* other : reading) {
      if (table != other && reads(*table->table, *other->table)) read_by.insert({table->table->oid, other->table->oid});
    }
  }
  const ParentsFirst order(read_by);
  for (const auto& [table, other] : read_by) {
    if (!order.is_before(other, table)) continue;
    for (const TaskId rows : made.of_table[table]) {
      for (const TaskId before : made.of_table[other]) state.graph().after(rows, before);
    }
  }
}

void add_large_objects(GraphState& state, Rows& made) {
  const std::int64_t objects = state.plan.catalog.large_objects;
  if (!state.options.large_objects || objects == 0) return;
  const TaskId task = state.graph().add({.kind = TaskKind::kLargeObjects,
                                         .lane = Lane::kCopy,
                                         .name = std::string(label_of(TaskKind::kLargeObjects)),
                                         .cost = static_cast<double>(objects) * kStatementCost});
  state.graph().after(made.done, task);
}

// Very many are set by several sessions. Returns the barrier after them.
TaskId add_sequences(GraphState& state, TaskId rows_done) {
  constexpr std::size_t kTogether = 2000;
  const std::span<const schema::Sequence> all = state.plan.catalog.sequences;
  // An archive has a statement for each.
  const std::size_t together = state.options.archive.empty() ? kTogether : all.size();
  const TaskId done = state.add_barrier("sequence values");
  for (std::size_t begin = 0; begin < all.size(); begin += together) {
    const std::span<const schema::Sequence> these = all.subspan(begin, std::min(together, all.size() - begin));
    std::string name = "sequence values";
    if (these.size() < all.size()) name += fmt::format(", {} to {}", begin + 1, begin + these.size());
    const TaskId task = state.graph().add({.kind = TaskKind::kSequences,
                                           .lane = Lane::kCopy,
                                           .name = std::move(name),
                                           .cost = kStatementCost,
                                           .sequences = these});
    state.graph().after(task, rows_done);
    state.graph().after(done, task);
  }
  return done;
}

}  // namespace

Rows add_rows(GraphState& state, PreData& pre_data) {
  Rows made(state.add_barrier("table data"));
  state.graph().after(made.done, pre_data.done);
  for (const TablePlan& table : state.plan.tables) {
    for (std::size_t part = 0; part < table.ranges.size(); ++part) add_part(state, pre_data, made, table, part);
  }
  order_extension_tables(state, made);
  order_by_keys_on_target(state, made);
  load_after_tables_that_functions_read(state, made);
  add_large_objects(state, made);
  // No snapshot holds sequences still: they are read when all rows are.
  if (!state.plan.catalog.sequences.empty()) {
    made.sequences = add_sequences(state, made.done);
  }
  // An archive is no session that keeps the source from cleaning up.
  if (!state.options.archive.empty()) return made;
  const TaskId release =
      state.graph().add({.kind = TaskKind::kReleaseSnapshot, .lane = Lane::kMain, .name = "release of the snapshot"});
  state.graph().after(release, made.done);
  if (made.sequences) state.graph().after(release, *made.sequences);
  return made;
}

}  // namespace pgsluice::pipeline
