#include "pipeline/plan/steps_of_others.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

namespace pgsluice::pipeline {

namespace {

using schema::EntryKind;

using Constraints = std::set<int>;  // dump ids

// Keys are a step of their own among the definitions after the rows. A partition's index is attached when its parent's
// is there, which may be a constraint's.
Step step_of_post_data(const schema::TocEntry* entry, const Constraints& constraints) {
  if (entry == nullptr) return Step::kPostData;
  if (entry->kind == EntryKind::kIndexAttach) {
    const std::vector<int>& on = entry->dependencies;
    const bool of_constraint = std::any_of(on.begin(), on.end(), [&](int id) { return constraints.contains(id); });
    return of_constraint ? Step::kConstraints : Step::kIndexes;
  }
  return entry->kind == EntryKind::kConstraint ? Step::kConstraints : Step::kPostData;
}

// nullopt for what belongs to each run.
std::optional<Step> step_of(const Task& task, const Constraints& constraints) {
  const std::optional<Step> step = task.traits().step;
  return step == Step::kPostData ? step_of_post_data(task.entry, constraints) : step;
}

}  // namespace

void replace_steps_of_other_commands(TaskGraph& graph, const schema::Archive& archive, const Steps& steps,
                                     bool is_final_command) {
  Constraints constraints;
  for (const schema::TocEntry& entry : archive.entries) {
    if (entry.kind == EntryKind::kConstraint) constraints.insert(entry.dump_id);
  }
  for (TaskId id = 0; id < graph.size(); ++id) {
    const std::optional<Step> step = step_of(graph[id], constraints);
    if (!step || steps.contains(*step)) continue;
    if (graph[id].traits().stores_rows_of_other_tables && is_final_command) continue;
    graph[id] = {.kind = TaskKind::kBarrier, .name = graph[id].name + ", by another command"};
  }
}

}  // namespace pgsluice::pipeline
