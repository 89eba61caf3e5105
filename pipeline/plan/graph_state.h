#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "index/lock_claims.h"
#include "pipeline/plan/plan.h"
#include "pipeline/plan/task_costs.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::pipeline {

/// A graph while it is built: what the stages (graph_stages.h) tell one another. Used by build_graph() only.
class GraphState {
 public:
  GraphState(Plan& of, const ResolvedOptions& wanted, const schema::TargetInventory& target);

  TaskGraph& graph() { return plan.graph; }
  TaskId add_barrier(std::string name);

  /// Whether an entry is restored in this section and pass.
  bool wanted(const schema::TocEntry& entry, schema::Section section, schema::RestorePass pass) const;
  /// Whether an entry stays away from this target, which is then reported.
  bool is_left_out(const schema::TocEntry& entry);

  /// The tasks of the entries that one depends on.
  std::vector<TaskId> dependencies_of(const schema::TocEntry& entry) const;
  void require_dependencies(TaskId task, const schema::TocEntry& entry);

  /// `task` begins when no definition that touches one of these relations, or what is below them, is on its way any
  /// more: definitions before the data are not tried again, so nothing may get into their way.
  void wait_for_definitions(TaskId task, const std::set<schema::Oid>& touched);
  /// The relations that an entry touches, by itself or by what it depends on.
  std::set<schema::Oid> touched_by(const schema::TocEntry& entry) const;

  void wait_for_all_data(TaskId task);
  /// The tasks that bring rows into a relation or what is below it.
  std::vector<TaskId> rows_below(schema::Oid relation) const;
  /// `task` needs these, without the ones of tables whose values name indexes where that is said. Complete after the
  /// stage of the data.
  enum class RowsNamingIndexes { kToo, kLeftOut };
  void require_rows_below(TaskId task, schema::Oid relation, RowsNamingIndexes naming_indexes);

  Plan& plan;
  const ResolvedOptions& options;
  const schema::TargetInventory& inventory;
  const index::EntryRelations relations;
  const TaskCosts costs;

  std::map<int, TaskId> task_of_entry;
  std::map<std::string, TaskId> task_of_server;
  /// Those that make tables.
  std::map<schema::Oid, TaskId> task_of_relation;
  std::map<schema::Oid, std::vector<TaskId>> definitions_touching;
  std::map<int, std::set<schema::Oid>> touched_by_entry;
  /// Of a table's own rows: its parts.
  std::map<schema::Oid, std::vector<TaskId>> data_of_relation;
  /// All tasks that bring rows into a relation.
  std::map<schema::Oid, std::vector<TaskId>> rows_of_relation;
  std::map<schema::Oid, std::vector<TaskId>> tasks_on_relation;
  std::map<schema::Oid, TaskId> statistics_of_relation;
  /// What looks up every row of both ends of a foreign key.
  std::vector<std::pair<TaskId, const schema::TocEntry*>> foreign_key_checks;
  /// Tasks that wait for the rows of every table.
  std::set<TaskId> after_all_data;
  std::optional<TaskId> sequences;

  /// One task stands for all of a large tree: each of its partitions waits for the definitions of all, and what is done
  /// to the whole for the rows of all.
  std::map<schema::Oid, TaskId> definitions_of_tree;
  std::map<std::pair<schema::Oid, RowsNamingIndexes>, TaskId> rows_of_tree;

  TaskId pre_data_done = 0;
  TaskId data_done = 0;
  TaskId main_done = 0;
  TaskId acls_done = 0;
};

}  // namespace pgsluice::pipeline
