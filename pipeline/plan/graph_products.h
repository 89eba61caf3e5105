#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "pipeline/plan/graph_state.h"

namespace pgsluice::pipeline {

// The products of the stages of build_graph(). A stage takes what it builds on, so that their order is in their types.

/// Definitions before the data.
class PreData {
 public:
  explicit PreData(TaskId barrier) : done(barrier) {}

  /// `task` begins when no definition that touches one of these relations, or what is below them, is on its way any
  /// more: definitions before the data are not tried again, so nothing may get into their way.
  void keep_out_of_the_way(GraphState& state, TaskId task, const std::set<schema::Oid>& touched);
  /// The relations that an entry touches, by itself or by what it depends on.
  std::set<schema::Oid> touched_by(const GraphState& state, const schema::TocEntry& entry) const;

  /// The barrier after all of them.
  const TaskId done;
  /// The tasks that create tables.
  std::map<schema::Oid, TaskId> task_of_relation;
  std::map<schema::Oid, std::vector<TaskId>> touching;
  /// By dump id.
  std::map<int, std::set<schema::Oid>> touched_by_entry;

 private:
  /// One task stands for all of a large tree: each of its partitions waits for the definitions of all.
  std::map<schema::Oid, TaskId> of_tree_;
};

/// Rows, large objects and sequence values.
class Rows {
 public:
  explicit Rows(TaskId barrier) : done(barrier) {}

  /// The tasks that bring rows into a relation or what is below it.
  std::vector<TaskId> below(const GraphState& state, schema::Oid relation) const;
  /// `task` needs these, without the ones of tables whose values name indexes where that is said.
  enum class NamingIndexes { kIncluded, kExcluded };
  void require_below(GraphState& state, TaskId task, schema::Oid relation, NamingIndexes naming_indexes);

  /// The barrier after all rows and large objects.
  const TaskId done;
  /// The tasks of a table's own rows: one for each part.
  std::map<schema::Oid, std::vector<TaskId>> of_table;
  /// All tasks that bring rows into a relation.
  std::map<schema::Oid, std::vector<TaskId>> into;
  /// The barrier after the values of sequences, if there are any.
  std::optional<TaskId> sequences;

 private:
  /// As of PreData: what is done to the whole of a tree waits for the rows of all.
  std::map<std::pair<schema::Oid, NamingIndexes>, TaskId> of_tree_;
};

/// The tasks that build on the rows: indexes, keys, triggers and the rest of the archive's main pass.
struct PostData {
  /// The barrier after all of it.
  TaskId done;
  std::map<schema::Oid, std::vector<TaskId>> on_relation;
  /// The tasks that look up every row of both ends of a foreign key.
  std::vector<std::pair<TaskId, const schema::TocEntry*>> foreign_key_checks;
};

}  // namespace pgsluice::pipeline
