#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/duration.h"
#include "pipeline/plan/tasks_done.h"
#include "pipeline/prepare/preflight.h"
#include "pipeline/run/run_context.h"

namespace pgsluice::pipeline {

/// True if a run that has met this error can continue by itself: a connection was lost, and there is a ledger to tell
/// what is done.
bool may_go_on(const Error& error, const ResolvedOptions& options);

/// The part of a run besides its workers: the session that keeps the snapshot, the one that keeps the target, and the
/// ledger. Used by the thread that runs the plan, while no worker does.
class RunSessions {
 public:
  /// `target_changed` is set with the first thing that is.
  RunSessions(Preflight preflight, const Plan& plan, std::atomic<bool>& target_changed, const Log& log,
              const CancelToken& cancel);

  /// Makes the ledger, or takes over that of the earlier run. Returns the tasks that are done.
  std::map<TaskId, copy::LoadedRows> begin();

  /// After a connection was lost: waits until both servers can be reached, sees to it that no session of before is
  /// left, and reads from the ledger what is done. Goes on trying for as long as the options say.
  /// Throws Error when that has passed, when connections are lost again and again without a task done, or when the run
  /// cannot continue: the snapshot is gone, and the source has changed.
  std::map<TaskId, copy::LoadedRows> recover(const Error& lost);

  /// True if an earlier run has begun it.
  bool continues() const { return continuation_.has_value(); }
  /// True if recover() has found that the run had come to its end.
  bool nothing_left() const { return nothing_left_; }

  const std::optional<pg::ConnInfo> source_info;  ///< pinned; nullopt if no server is read
  const std::shared_ptr<const ArchivedSource> archive;
  const pg::ConnInfo target_info;  ///< pinned
  const std::string encoding;
  /// In the snapshot's transaction, for the first worker that reads; nullopt after that.
  std::optional<pg::Connection> source;
  /// Keeps the target for this run; the main worker's.
  pg::Connection target;
  /// Keeps the snapshot and the locks on the tables; nullopt once it was let go.
  std::optional<pg::Connection> holder;
  /// Source sessions of workers that were stopped: the snapshot is handed on by one of them where the holder was lost.
  std::vector<pg::Connection> former_sources;
  RunRecord record;
  TargetSessions of_target;

 private:
  std::map<TaskId, copy::LoadedRows> try_to_recover();
  void require_finished();
  void restore_holder(const std::map<TaskId, copy::LoadedRows>& done, const copy::LedgerContents& ledger);
  std::optional<pg::Connection> take_over_snapshot();
  std::map<TaskId, copy::LoadedRows> take_over_ledger();
  std::set<schema::Oid> large_objects_of_source();
  void pause();

  const Plan& plan_;
  const ResolvedOptions& options_;
  std::atomic<bool>& target_changed_;
  const Log& log_;
  const CancelToken cancel_;
  std::optional<Continuation> continuation_;
  /// How many recoveries in a row were followed by no task that was done.
  int fruitless_ = 0;
  SteadyClock::time_point fruitless_since_;
  std::chrono::milliseconds pause_;
  std::size_t done_before_ = 0;
  bool nothing_left_ = false;
};

}  // namespace pgsluice::pipeline
