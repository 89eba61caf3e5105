#pragma once

#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "copy/ledger.h"
#include "index/build_budget.h"
#include "pg/conninfo.h"
#include "pg/snapshot.h"
#include "pipeline/compare/verification.h"
#include "pipeline/plan/plan.h"
#include "pipeline/prepare/archived_source.h"
#include "pipeline/prepare/run_record.h"
#include "pipeline/progress/progress.h"
#include "pipeline/run/pace_control.h"
#include "pipeline/run/scheduler.h"
#include "pipeline/run/session_slots.h"
#include "pipeline/run/trace.h"

namespace pgsluice::pipeline {

class JobPool;

/// The target's sessions that work for a run, or have. Any thread.
class TargetSessions {
 public:
  void add(copy::Backend session) {
    const MutexLock lock(mutex_);
    all_.push_back(std::move(session));
  }
  std::vector<copy::Backend> all() const {
    const MutexLock lock(mutex_);
    return all_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<copy::Backend> all_ GUARDED_BY(mutex_);
};

/// Objects that were made without the owner that they are to have, until it can be given. The ledger knows them too, by
/// mark_of_owner(). Any thread.
class OwnersToGive {
 public:
  void add(const schema::TocEntry& entry) {
    const MutexLock lock(mutex_);
    entries_.insert(&entry);
  }
  void remove(const schema::TocEntry& entry) {
    const MutexLock lock(mutex_);
    entries_.erase(&entry);
  }
  std::set<const schema::TocEntry*> all() const {
    const MutexLock lock(mutex_);
    return entries_;
  }

 private:
  mutable Mutex mutex_;
  std::set<const schema::TocEntry*> entries_ GUARDED_BY(mutex_);
};

/// The context that all workers of a run share. The references outlive the workers.
struct RunContext {
  const Plan& plan;
  const ResolvedOptions& options;      ///< the plan's
  JobPool& pool;                       ///< of the jobs, which other runs may share
  PaceControl& pace;                   ///< which other runs may share, too
  std::optional<pg::ConnInfo> source;  ///< pinned; nullopt if no task reads a server
  const ArchivedSource* archive;       ///< that rows come from in the place of a server, or nullptr
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
  OwnersToGive& owners;
  bool continues = false;  ///< an earlier run has begun it
  Trace* trace = nullptr;  ///< where none is wanted
  std::atomic<bool>& target_changed;
  Log log;
  CancelToken cancel;
};

/// Says in the log what became of a task that has failed.
void log_failure(const RunContext& context, TaskId task, const Error& error, FailureOutcome outcome);

/// Adds what a task has done to the trace, with what it has waited for.
void trace_task(const RunContext& context, TaskId task, TraceSpan span);

}  // namespace pgsluice::pipeline
