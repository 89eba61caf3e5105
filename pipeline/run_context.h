#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "pgsluice/index/build_budget.h"
#include "pgsluice/pg/conninfo.h"
#include "pgsluice/pg/snapshot.h"
#include "pgsluice/pipeline/plan.h"
#include "pgsluice/pipeline/progress.h"
#include "pgsluice/pipeline/run_record.h"
#include "pgsluice/pipeline/scheduler.h"
#include "pgsluice/pipeline/trace.h"
#include "pgsluice/pipeline/verification.h"

namespace pgsluice::pipeline {

/// What all workers of a run share. The references outlive the workers.
struct RunContext {
  const Plan& plan;
  const CloneOptions& options;
  pg::ConnInfo source;  ///< pinned
  pg::ConnInfo target;  ///< pinned
  std::string encoding;
  /// The snapshot's, with the locks on the tables; the main worker's thread lets it go.
  std::optional<pg::Connection>& holder;
  const RunRecord& record;
  Scheduler& scheduler;
  index::BuildBudget& builds;
  Progress& progress;
  Verification& verification;
  Trace* trace = nullptr;  ///< where none is wanted
  std::atomic<bool>& target_changed;
  Log log;
  CancelToken cancel;
};

/// Adds what a task has done to the trace, with what it has waited for.
void trace_task(const RunContext& context, TaskId task, TraceSpan span);

}  // namespace pgsluice::pipeline
