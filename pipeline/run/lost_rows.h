#pragma once

#include <map>

#include "copy/ledger.h"
#include "pg/connection.h"
#include "pipeline/plan/plan.h"
#include "pipeline/plan/tasks_done.h"

namespace pgsluice::pipeline {

// A crash of the target empties its unlogged tables, and the ledger loses their parts. Most of them are simply loaded
// again; these cannot be.

/// Rows that go through a root may be in any of its partitions, and their parts say only where they came from: when the
/// unlogged ones among the partitions are empty, it is unknown which rows are missing. Throws Error(kState).
void refuse_partially_lost_partition_trees(pg::Connection& target, const Plan& plan,
                                           const copy::LedgerContents& ledger);

/// Rows that come again would fire the triggers that are made by now, and TRUNCATE is refused to a table that a key
/// refers to. Throws Error(kState).
void refuse_reloading_tables_with_triggers(const Plan& plan, const std::map<TaskId, copy::LoadedRows>& done);

}  // namespace pgsluice::pipeline
