#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pg/connection.h"
#include "pipeline/plan/work.h"
#include "pipeline/run/job_pool.h"
#include "pipeline/run/rows_executor.h"
#include "pipeline/run/run_context.h"
#include "pipeline/run/statistics_executor.h"
#include "pipeline/run/worker_sessions.h"

namespace pgsluice::pipeline {

/// A thread's work: takes the tasks of one lane and carries them out on connections of its own. Tasks that are only
/// statements are sent many at a time (statement_queue.h), and small tables are copied many in a transaction
/// (rows_executor.h). Made on one thread, then used by its own only.
class Worker {
 public:
  Worker(RunContext& context, Lane lane, int number);

  /// Sessions that are open already, and in the ledger.
  void adopt_source(pg::Connection connection) { sessions_.adopt_source(std::move(connection)); }
  void adopt_target(pg::Connection connection) { sessions_.adopt_target(std::move(connection)); }

  /// Until the lane has no task left or the scheduler stops. Throws nothing: errors go to the scheduler.
  void run() noexcept;

  /// The source's session of a worker that the scheduler has stopped; it may still be in the snapshot. After run().
  std::optional<pg::Connection> give_up_source() { return sessions_.give_up_source(); }

 private:
  void work();
  std::optional<TaskId> take_task();
  bool take_turn(TaskId id);
  void rest();
  void carry_out(TaskId id);
  void send(TaskId id, std::vector<pg::Statement> sql);
  void execute(TaskId id, const Work& work, Progress::Running& running);
  std::vector<TaskId> with_others(TaskId first, double max_cost);
  void copy_large_objects(const std::string& mark, Progress::Running& running);
  void copy_sequences(const Task& task, std::span<const schema::Sequence> sequences);
  void restore_sequences();

  RunContext& context_;
  const Lane lane_;
  const std::string name_;
  /// As long as there are sessions; the definitions' worker needs none.
  std::optional<JobPool::Turn> turn_;
  WorkerSessions sessions_;
  RowsExecutor rows_;
  StatisticsExecutor statistics_;
};

}  // namespace pgsluice::pipeline
