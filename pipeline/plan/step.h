#pragma once

#include <set>
#include <string>
#include <string_view>

#include "pipeline/plan/task_graph.h"

namespace pgsluice::pipeline {

/// A part of a clone that can be carried out by itself, before or after others.
enum class Step {
  kPreData,       ///< definitions before the data
  kTableData,     ///< rows
  kLargeObjects,  ///< with their owners, privileges and comments
  kSequences,     ///< their values
  kIndexes,       ///< those that become constraints too
  kConstraints,   ///< primary keys, unique and exclusion constraints, on indexes that are there
  kStatistics,
  kPostData,  ///< foreign keys, triggers, policies, privileges, materialized views: all that is left
};

using Steps = std::set<Step>;

Steps all_steps();
/// A stable word, such as "table-data": the ledger contains it, so it never changes.
std::string_view id_of(Step step);
std::set<std::string> ids_of(const Steps& steps);

/// Whether they read rows, which a snapshot shows.
bool reads_rows(const Steps& steps);

/// Makes barriers of the tasks that are not of these steps: what other commands do, or have done. Materialized views
/// are filled by those who do what is left, and by those who copy the rows last of all.
void leave_to_others(TaskGraph& graph, const schema::Archive& archive, const Steps& steps, bool ends_the_copy);

}  // namespace pgsluice::pipeline
