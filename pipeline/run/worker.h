#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "copy/table_copy.h"
#include "pg/connection.h"
#include "pipeline/run/checks_after_rows.h"
#include "pipeline/run/job_pool.h"
#include "pipeline/run/run_context.h"
#include "pipeline/run/statement_queue.h"

namespace pgsluice::pipeline {

/// A thread's work: takes the tasks of one lane and carries them out on connections of its own, opened when the first
/// task needs them. Tasks that are only statements are sent many at a time (statement_queue.h), and small tables are
/// copied many in a transaction. Made on one thread, then used by its own only.
class Worker {
 public:
  Worker(RunContext& context, Lane lane, int number) : context_(context), lane_(lane), number_(number) {}

  /// Sessions that are open already, and in the ledger.
  void adopt_source(pg::Connection connection) { source_ = std::move(connection); }
  void adopt_target(pg::Connection connection) {
    slot_ = context_.target_slots.take();
    target_ = std::move(connection);
  }

  /// Until the lane has no task left or the scheduler stops. Throws nothing: errors go to the scheduler.
  void run() noexcept;

  /// The source's session of a worker that the scheduler has stopped; it may still be in the snapshot. After run().
  std::optional<pg::Connection> give_up_source() { return std::exchange(source_, std::nullopt); }

 private:
  void work();
  std::optional<TaskId> take_task();
  bool take_turn(TaskId id);
  void rest();
  void carry_out(TaskId id);
  void execute(TaskId id, Progress::Running& running);
  std::vector<TaskId> with_small_tables(TaskId first);
  void copy_tables(const std::vector<TaskId>& tasks);
  /// What a table's COPY has set for its transaction.
  std::string settings_for(const TablePlan& table) const;
  copy::CopyTablesResult try_to_copy(const std::vector<TaskId>& tasks, CheckRows rows = CheckRows::kAll);
  ChecksAfterRows way_of_later_try(TaskId id, CheckRows rows);
  void copy_large_objects(const std::string& mark, Progress::Running& running);
  void copy_sequences();
  std::vector<std::string> name_rows(const schema::Relation& table);
  void verify(const Task& task, Progress::Running& running);
  /// Puts a task that is done into the ledger, by its mark.
  void note(const std::string& mark);
  void release_snapshot();
  void make_durable();
  /// In a transaction: its COMMIT brings all that was committed before to the target's disk.
  void flush_with_commit();
  bool ends_the_run(const Error& error) const;

  pg::Connection& source();
  void open_source();
  void import_snapshot();
  pg::Connection& target();
  StatementQueue& statements();
  std::string name() const;

  RunContext& context_;
  /// Where other runs share the jobs: a turn, as long as there are sessions.
  std::optional<JobPool::Turn> turn_;
  const Lane lane_;
  const int number_;
  std::optional<pg::Connection> source_;
  /// For target_, from the first time that it is open.
  std::optional<SessionSlots::Slot> slot_;
  std::optional<pg::Connection> target_;
  /// Between source_ and target_.
  std::unique_ptr<copy::Relay> relay_;
  /// On target_, once it is ready for definitions.
  std::optional<StatementQueue> statements_;
  /// A session could not be opened or brought into the snapshot.
  bool session_failed_ = false;
};

}  // namespace pgsluice::pipeline
