#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <set>

#include "copy/ledger.h"
#include "pg/connection.h"
#include "pgsluice/log.h"
#include "pipeline/plan/plan.h"
#include "pipeline/prepare/continuation.h"

namespace pgsluice::pipeline {

// Clearing the target, before a run makes anything. Each sets `target_changed` with the first change.

/// Drops what the options say is replaced, empties the tables that rows go into, and drops the large objects of the
/// source's OIDs, which are asked for only then, unless the run that continues has made them. All but the last in one
/// transaction.
void clear_target(pg::Connection& target, const Plan& plan, const std::optional<Continuation>& continuation,
                  const std::function<std::set<schema::Oid>()>& large_objects_of_source,
                  std::atomic<bool>& target_changed, const Log& log);

/// Drops an earlier run's ledger, where the options say so.
void forget_earlier_run(pg::Connection& target, const Plan& plan, std::atomic<bool>& target_changed, const Log& log);

/// Empties the tables that an earlier run has loaded in part, since rows may have moved between their parts meanwhile.
/// The ledger and its contents forget them.
void empty_broken_tables(pg::Connection& target, const Plan& plan, copy::LedgerContents& ledger,
                         std::atomic<bool>& target_changed, const Log& log);

}  // namespace pgsluice::pipeline
