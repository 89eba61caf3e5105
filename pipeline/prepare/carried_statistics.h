#pragma once

#include "pipeline/plan/options.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// The two databases of a clone, as far as they decide whether statistics can be carried.
struct DatabasesOfStatistics {
  /// nullptr for an archive, which has no statistics.
  const schema::DatabaseInfo* source = nullptr;
  const schema::DatabaseInfo& target;
  int target_version = 0;
};

/// Returns whether the source's statistics are written to the target (Statistics). By itself only where both order and
/// compare text alike: a histogram of one collation misleads the planner in another one. Throws Error(kConfig) where
/// that was asked for and cannot be done.
bool carries_statistics(const ResolvedOptions& options, const DatabasesOfStatistics& databases);

}  // namespace pgsluice::pipeline
