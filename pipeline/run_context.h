#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pgsluice/copy/ledger.h"
#include "pgsluice/index/build_budget.h"
#include "pgsluice/pg/conninfo.h"
#include "pgsluice/pg/snapshot.h"
#include "pgsluice/pipeline/plan.h"
#include "pgsluice/pipeline/progress.h"
#include "pgsluice/pipeline/run_record.h"
#include "pgsluice/pipeline/scheduler.h"
#include "pgsluice/pipeline/session_slots.h"
#include "pgsluice/pipeline/trace.h"
#include "pgsluice/pipeline/verification.h"

namespace pgsluice::pipeline {

/// The target's sessions that work for a run, or have. Any thread.
class TargetSessions {
 public:
  void add(copy::Backend session) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(session));
  }
  std::vector<copy::Backend> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<copy::Backend> all_;
};

/// What all workers of a run share. The references outlive the workers.
struct RunContext {
  const Plan& plan;
  const CloneOptions& options;
  std::optional<pg::ConnInfo> source;  ///< pinned; nothing where no task reads
  pg::ConnInfo target;                 ///< pinned
  std::string encoding;
  /// The snapshot's, with the locks on the tables; the main worker's thread lets it go.
  std::optional<pg::Connection>& holder;
  const RunRecord& record;
  TargetSessions& sessions;
  /// As many as the target may have sessions of this run.
  SessionSlots& target_slots;
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
