#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "pgsluice/pg/connection.h"
#include "pgsluice/pg/snapshot.h"
#include "pgsluice/pipeline/plan.h"
#include "pgsluice/pipeline/progress.h"
#include "pgsluice/pipeline/scheduler.h"

namespace pgsluice::pipeline {

/// What all workers of a run share. The references outlive the workers.
struct RunContext {
  const Plan& plan;
  pg::ConnInfo source;  ///< pinned
  pg::ConnInfo target;  ///< pinned
  std::string encoding;
  pg::SnapshotIdentity snapshot;
  Scheduler& scheduler;
  Progress& progress;
  std::atomic<bool>& target_changed;
  Log log;
  CancelToken cancel;
};

/// A thread's work: takes the tasks of one lane and carries them out on connections of its own, opened when the first
/// task needs them. Made on one thread, then used by its own only.
class Worker {
 public:
  Worker(RunContext& context, Lane lane, int number) : context_(context), lane_(lane), number_(number) {}

  /// Sessions that are open already: preflight's.
  void adopt_source(pg::Connection connection) { source_ = std::move(connection); }
  void adopt_target(pg::Connection connection) { target_ = std::move(connection); }
  void adopt_holder(pg::Connection connection) { holder_ = std::move(connection); }

  /// Until the lane has no task left or the scheduler stops. Throws nothing: errors go to the scheduler.
  void run() noexcept;

 private:
  void execute(const Task& task, Progress::Running& running);
  void restore(const Task& task);
  void copy_table(const Task& task, Progress::Running& running);
  void copy_large_objects(Progress::Running& running);
  void copy_sequences();
  void run_sql(const Task& task);
  void refresh(const Task& task);
  void release_snapshot();
  void make_durable();
  bool ends_the_run(const Error& error) const;

  pg::Connection& source();
  pg::Connection& target();
  pg::Connection& restoring_target();
  std::string purpose() const;

  RunContext& context_;
  const Lane lane_;
  const int number_;
  std::optional<pg::Connection> source_;
  std::optional<pg::Connection> target_;
  std::optional<pg::Connection> holder_;
  bool ready_to_restore_ = false;
  /// A session could not be opened or brought into the snapshot.
  bool session_failed_ = false;
};

}  // namespace pgsluice::pipeline
