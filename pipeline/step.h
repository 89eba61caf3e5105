#pragma once

#include <set>
#include <string>
#include <string_view>

#include "pgsluice/pipeline/task_graph.h"

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
/// "table data", for people; each by itself.
std::set<std::string> names_of(const Steps& steps);

/// The name of kLargeObjects.
inline constexpr const char* kLargeObjects = "large objects";

/// Whether they read rows, which a snapshot shows.
bool reads_rows(const Steps& steps);

/// Makes barriers of the tasks that are not of these steps: what other commands do, or have done. Materialized views
/// are filled by those who do what is left, and by those who copy the rows last of all.
void leave_to_others(TaskGraph& graph, const schema::Archive& archive, const Steps& steps, bool ends_the_copy);

}  // namespace pgsluice::pipeline
