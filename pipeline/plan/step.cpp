#include "pipeline/plan/step.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace pgsluice::pipeline {

namespace {

using Constraints = std::set<int>;  // dump ids

// A partition's index is attached when its parent's is there, which may be a constraint's.
Step step_of_post_data(const Task& task, const Constraints& constraints) {
  if (task.entry == nullptr) return Step::kPostData;
  if (task.entry->kind == "INDEX ATTACH") {
    const std::vector<int>& on = task.entry->dependencies;
    const bool of_constraint = std::any_of(on.begin(), on.end(), [&](int id) { return constraints.contains(id); });
    return of_constraint ? Step::kConstraints : Step::kIndexes;
  }
  return task.entry->kind == "CONSTRAINT" ? Step::kConstraints : Step::kPostData;
}

// Nothing for what belongs to each run.
std::optional<Step> step_of(const Task& task, const Constraints& constraints) {
  switch (task.kind) {
    case TaskKind::kBarrier:
    case TaskKind::kReleaseSnapshot:
    case TaskKind::kDurability:
      return std::nullopt;
    case TaskKind::kPreData:
      return Step::kPreData;
    case TaskKind::kTableData:
    case TaskKind::kVerification:
      return Step::kTableData;
    case TaskKind::kLargeObjects:
      return Step::kLargeObjects;
    case TaskKind::kSequences:
      return Step::kSequences;
    case TaskKind::kIndexBuild:
      return Step::kIndexes;
    case TaskKind::kPostData:
      return step_of_post_data(task, constraints);
    case TaskKind::kStatistics:
      return Step::kStatistics;
    case TaskKind::kValidation:
    case TaskKind::kAcl:
    case TaskKind::kMaterializedView:
    case TaskKind::kEventTrigger:
    case TaskKind::kDatabaseProperty:
      return Step::kPostData;
  }
  return std::nullopt;
}

}  // namespace

Steps all_steps() {
  return {Step::kPreData, Step::kTableData,   Step::kLargeObjects, Step::kSequences,
          Step::kIndexes, Step::kConstraints, Step::kStatistics,   Step::kPostData};
}

std::string_view id_of(Step step) {
  switch (step) {
    case Step::kPreData:
      return "pre-data";
    case Step::kTableData:
      return "table-data";
    case Step::kLargeObjects:
      return "large-objects";
    case Step::kSequences:
      return "sequences";
    case Step::kIndexes:
      return "indexes";
    case Step::kConstraints:
      return "constraints";
    case Step::kStatistics:
      return "statistics";
    case Step::kPostData:
      return "post-data";
  }
  return "";
}

std::set<std::string> ids_of(const Steps& steps) {
  std::set<std::string> ids;
  for (const Step step : steps) ids.emplace(id_of(step));
  return ids;
}

bool reads_rows(const Steps& steps) { return steps.contains(Step::kTableData) || steps.contains(Step::kLargeObjects); }

void leave_to_others(TaskGraph& graph, const schema::Archive& archive, const Steps& steps, bool ends_the_copy) {
  Constraints constraints;
  for (const schema::TocEntry& entry : archive.entries) {
    if (entry.kind == "CONSTRAINT") constraints.insert(entry.dump_id);
  }
  for (TaskId id = 0; id < graph.size(); ++id) {
    const std::optional<Step> step = step_of(graph[id], constraints);
    if (!step || steps.contains(*step)) continue;
    if (graph[id].kind == TaskKind::kMaterializedView && ends_the_copy) continue;
    graph[id] = {.kind = TaskKind::kBarrier, .name = graph[id].name + ", by another command"};
  }
}

}  // namespace pgsluice::pipeline
