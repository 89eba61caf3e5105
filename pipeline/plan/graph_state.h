#pragma once

#include <map>
#include <string>
#include <vector>

#include "index/lock_claims.h"
#include "pipeline/plan/plan.h"
#include "pipeline/plan/task_costs.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::pipeline {

/// A graph while it is built, and what every stage (graph_stages.h) asks of archive and catalog. Used by build_graph()
/// only.
class GraphState {
 public:
  GraphState(Plan& of, const ResolvedOptions& wanted, const schema::TargetInventory& target);

  TaskGraph& graph() { return plan.graph; }
  TaskId add_barrier(std::string name);

  /// True if an entry is restored in this section and pass.
  bool wanted(const schema::TocEntry& entry, schema::Section section, schema::RestorePass pass) const;
  /// True if an entry stays away from this target, which is then reported.
  bool is_left_out(const schema::TocEntry& entry);

  /// The tasks of the entries that one depends on.
  std::vector<TaskId> dependencies_of(const schema::TocEntry& entry) const;
  void require_dependencies(TaskId task, const schema::TocEntry& entry);

  Plan& plan;
  const ResolvedOptions& options;
  const schema::TargetInventory& inventory;
  const index::EntryRelations relations;
  const TaskCosts costs;

  /// The tasks of the entries that have some by now: by dump id, and foreign servers by name.
  std::map<int, TaskId> task_of_entry;
  std::map<std::string, TaskId> task_of_server;
};

}  // namespace pgsluice::pipeline
