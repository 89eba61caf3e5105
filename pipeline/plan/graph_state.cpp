#include "pipeline/plan/graph_state.h"

#include <fmt/format.h>

#include "pipeline/plan/entry_filter.h"

namespace pgsluice::pipeline {

using schema::Oid;
using schema::TocEntry;

GraphState::GraphState(Plan& of, const ResolvedOptions& wanted, const schema::TargetInventory& target)
    : plan(of), options(wanted), inventory(target), relations(of.archive, of.catalog), costs(of.catalog, relations) {}

TaskId GraphState::add_barrier(std::string name) {
  return graph().add({.kind = TaskKind::kBarrier, .name = std::move(name)});
}

bool GraphState::wanted(const TocEntry& entry, schema::Section section, schema::RestorePass pass) const {
  return entry.section == section && entry.pass() == pass && schema::is_restored(entry, plan.restore);
}

bool GraphState::is_left_out(const TocEntry& entry) {
  const std::optional<std::string> reason = reason_to_leave_out(entry, inventory);
  if (reason) plan.skipped.push_back(fmt::format("{}: {}", entry.describe(), *reason));
  return reason.has_value();
}

std::vector<TaskId> GraphState::dependencies_of(const TocEntry& entry) const {
  std::vector<TaskId> tasks;
  for (const int dependency : entry.dependencies) {
    const auto found = task_of_entry.find(dependency);
    if (found != task_of_entry.end()) tasks.push_back(found->second);
  }
  if (entry.kind != "USER MAPPING") return tasks;
  // The archive names its server only in the tag.
  for (const auto& [server, task] : task_of_server) {
    if (entry.tag.ends_with(" SERVER " + server)) tasks.push_back(task);
  }
  return tasks;
}

void GraphState::require_dependencies(TaskId task, const TocEntry& entry) {
  for (const TaskId needed : dependencies_of(entry)) graph().require(task, needed);
}

std::set<Oid> GraphState::touched_by(const TocEntry& entry) const {
  const std::vector<Oid>& own = relations.of(entry);
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

void GraphState::wait_for_definitions(TaskId task, const std::set<Oid>& touched) {
  std::set<TaskId> definitions;
  const auto add = [&](const std::vector<Oid>& members, std::set<TaskId>& into) {
    for (const Oid member : members) {
      const auto found = definitions_touching.find(member);
      if (found != definitions_touching.end()) into.insert(found->second.begin(), found->second.end());
    }
  };
  for (const Oid relation : touched) {
    if (const auto known = definitions_of_tree.find(relation); known != definitions_of_tree.end()) {
      definitions.insert(known->second);
      continue;
    }
    const std::vector<Oid> members = relations.tree(relation);
    if (members.size() < kLargeTree) {
      add(members, definitions);
      continue;
    }
    std::set<TaskId> all;
    add(members, all);
    const TaskId barrier = add_barrier("definitions of a tree of tables");
    for (const TaskId definition : all) graph().after(barrier, definition);
    definitions_of_tree[relation] = barrier;
    definitions.insert(barrier);
  }
  for (const TaskId definition : definitions) graph().after(task, definition);
}

void GraphState::require_rows_below(TaskId task, Oid relation, RowsNamingIndexes naming_indexes) {
  const auto known = rows_of_tree.find({relation, naming_indexes});
  if (known != rows_of_tree.end()) return graph().require(task, known->second);
  std::vector<TaskId> rows = rows_below(relation);
  if (naming_indexes == RowsNamingIndexes::kLeftOut) {
    std::erase_if(rows, [&](TaskId id) { return graph()[id].relation->names_indexes; });
  }
  if (rows.size() >= kLargeTree) {
    const TaskId barrier = add_barrier("rows of a tree of tables");
    for (const TaskId id : rows) graph().require(barrier, id);
    rows_of_tree[{relation, naming_indexes}] = barrier;
    rows = {barrier};
  }
  for (const TaskId id : rows) graph().require(task, id);
}

void GraphState::wait_for_all_data(TaskId task) {
  graph().after(task, data_done);
  after_all_data.insert(task);
}

std::vector<TaskId> GraphState::rows_below(Oid relation) const {
  std::vector<TaskId> tasks;
  for (const Oid member : relations.tree(relation)) {
    const auto found = rows_of_relation.find(member);
    if (found != rows_of_relation.end()) tasks.insert(tasks.end(), found->second.begin(), found->second.end());
  }
  return tasks;
}

}  // namespace pgsluice::pipeline
