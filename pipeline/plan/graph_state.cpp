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
  if (entry.kind != schema::EntryKind::kUserMapping) return tasks;
  // The archive names its server only in the tag.
  for (const auto& [server, task] : task_of_server) {
    if (entry.tag.ends_with(" SERVER " + server)) tasks.push_back(task);
  }
  return tasks;
}

void GraphState::require_dependencies(TaskId task, const TocEntry& entry) {
  for (const TaskId needed : dependencies_of(entry)) graph().require(task, needed);
}

}  // namespace pgsluice::pipeline
