#pragma once

#include <set>
#include <string>
#include <string_view>

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

/// True if they read rows, which a snapshot shows.
bool reads_rows(const Steps& steps);

}  // namespace pgsluice::pipeline
