#include "pipeline/plan/graph_products.h"

namespace pgsluice::pipeline {

using schema::Oid;
using schema::TocEntry;

std::set<Oid> PreData::touched_by(const GraphState& state, const TocEntry& entry) const {
  const std::vector<Oid>& own = state.relations.of(entry);
  std::set<Oid> touched(own.begin(), own.end());
  for (const int dependency : entry.dependencies) {
    const auto found = touched_by_entry.find(dependency);
    if (found != touched_by_entry.end()) touched.insert(found->second.begin(), found->second.end());
  }
  return touched;
}

namespace {

// From so many members on a tree has a task of its own to wait for.
constexpr std::size_t kLargeTree = 16;

}  // namespace

void PreData::keep_out_of_the_way(GraphState& state, TaskId task, const std::set<Oid>& touched) {
  std::set<TaskId> definitions;
  const auto add = [&](const std::vector<Oid>& members, std::set<TaskId>& into) {
    for (const Oid member : members) {
      const auto found = touching.find(member);
      if (found != touching.end()) into.insert(found->second.begin(), found->second.end());
    }
  };
  for (const Oid relation : touched) {
    if (const auto known = of_tree_.find(relation); known != of_tree_.end()) {
      definitions.insert(known->second);
      continue;
    }
    const std::vector<Oid> members = state.relations.tree(relation);
    if (members.size() < kLargeTree) {
      add(members, definitions);
      continue;
    }
    std::set<TaskId> all;
    add(members, all);
    const TaskId barrier = state.add_barrier("definitions of a tree of tables");
    for (const TaskId definition : all) state.graph().after(barrier, definition);
    of_tree_[relation] = barrier;
    definitions.insert(barrier);
  }
  for (const TaskId definition : definitions) state.graph().after(task, definition);
}

void Rows::require_below(GraphState& state, TaskId task, Oid relation, NamingIndexes naming_indexes) {
  const auto known = of_tree_.find({relation, naming_indexes});
  if (known != of_tree_.end()) return state.graph().require(task, known->second);
  std::vector<TaskId> rows = below(state, relation);
  if (naming_indexes == NamingIndexes::kExcluded) {
    std::erase_if(rows, [&](TaskId id) { return state.graph()[id].relation->names_indexes; });
  }
  if (rows.size() >= kLargeTree) {
    const TaskId barrier = state.add_barrier("rows of a tree of tables");
    for (const TaskId id : rows) state.graph().require(barrier, id);
    of_tree_[{relation, naming_indexes}] = barrier;
    rows = {barrier};
  }
  for (const TaskId id : rows) state.graph().require(task, id);
}

std::vector<TaskId> Rows::below(const GraphState& state, Oid relation) const {
  std::vector<TaskId> tasks;
  for (const Oid member : state.relations.tree(relation)) {
    const auto found = into.find(member);
    if (found != into.end()) tasks.insert(tasks.end(), found->second.begin(), found->second.end());
  }
  return tasks;
}

}  // namespace pgsluice::pipeline
