#include "pgsluice/pipeline/worker.h"

#include <fmt/format.h>

#include <exception>

#include "pgsluice/copy/large_objects.h"
#include "pgsluice/copy/table_copy.h"
#include "pgsluice/pg/transaction.h"
#include "pgsluice/pipeline/preflight.h"
#include "pgsluice/schema/ddl_restore.h"
#include "pgsluice/schema/sequences.h"

namespace pgsluice::pipeline {

namespace {

const TablePlan& plan_of(const Plan& plan, const schema::Relation& table) {
  for (const TablePlan& candidate : plan.tables) {
    if (candidate.table == &table) return candidate;
  }
  throw Error(ErrorKind::kInternal, "a table without a plan");
}

}  // namespace

void Worker::run() noexcept {
  try {
    work();
  } catch (const Error& error) {
    context_.scheduler.stop(error.kind() == ErrorKind::kCancelled ? std::nullopt : std::optional(error));
  } catch (const std::exception& error) {
    context_.scheduler.stop(Error(ErrorKind::kInternal, error.what()));
  }
  // Not with the object: the source's snapshot is held as long as one session sees it.
  source_.reset();
  statements_.reset();
  target_.reset();
  holder_.reset();
}

void Worker::work() {
  while (true) {
    if (const std::optional<TaskId> id = take_task()) {
      carry_out(*id);
    } else if (statements_ && !statements_->empty()) {
      statements_->take_answer();
    } else {
      return;
    }
  }
}

// With statements in flight only what can be sent behind them at once.
std::optional<TaskId> Worker::take_task() {
  if (!statements_ || statements_->empty()) return context_.scheduler.next(lane_);
  const std::optional<double> room = statements_->room();
  return room ? context_.scheduler.next_ready(lane_, *room) : std::nullopt;
}

void Worker::carry_out(TaskId id) {
  const Task& task = context_.plan.graph[id];
  try {
    if (std::optional<std::vector<pg::Statement>> sql = statements_of(context_.plan, task)) {
      statements().send(id, std::move(*sql));
      return;
    }
    while (statements_ && !statements_->empty()) statements_->take_answer();
    {
      Progress::Running running(context_.progress, task);
      execute(task, running);
    }
    context_.scheduler.succeeded(id);
  } catch (const Error& error) {
    if (ends_the_run(error)) throw;
    if (context_.scheduler.failed(id, error)) context_.log.error(error.describe());
  }
}

bool Worker::ends_the_run(const Error& error) const {
  // Without a session every task of this worker would fail. A recovery conflict of a standby source (40001) ends the
  // snapshot for good: imported again, it would show a part of the rows.
  const bool recovery_conflict = error.side() == Side::kSource && error.sqlstate() == "40001";
  return error.poisons_connection() || session_failed_ || recovery_conflict;
}

std::string Worker::purpose() const { return fmt::format("{} {}", lane_ == Lane::kCopy ? "copy" : "build", number_); }

pg::Connection& Worker::source() {
  session_failed_ = true;
  if (!source_ || !source_->alive()) {
    source_ = open_session(context_.source, purpose(), context_.encoding, context_.log, context_.cancel);
  }
  // A statement that failed has ended the transaction and with it the snapshot.
  if (PQtransactionStatus(source_->handle()) == PQTRANS_INERROR) source_->execute("ROLLBACK");
  if (source_->idle()) pg::import_snapshot(*source_, context_.snapshot);
  session_failed_ = false;
  return *source_;
}

pg::Connection& Worker::target() {
  session_failed_ = true;
  if (!target_ || !target_->alive()) {
    statements_.reset();
    target_ = open_session(context_.target, purpose(), context_.encoding, context_.log, context_.cancel);
  }
  session_failed_ = false;
  context_.target_changed.store(true, std::memory_order_relaxed);
  return *target_;
}

StatementQueue& Worker::statements() {
  pg::Connection& connection = target();
  if (!statements_) {
    schema::begin_restore(connection, context_.plan.archive);
    statements_.emplace(context_.plan, context_.scheduler, context_.progress, connection);
  }
  return *statements_;
}

void Worker::execute(const Task& task, Progress::Running& running) {
  switch (task.kind) {
    case TaskKind::kTableData:
      return copy_table(task, running);
    case TaskKind::kLargeObjects:
      return copy_large_objects(running);
    case TaskKind::kSequences:
      return copy_sequences();
    case TaskKind::kReleaseSnapshot:
      return release_snapshot();
    case TaskKind::kDurability:
      return make_durable();
    case TaskKind::kBarrier:
    case TaskKind::kPreData:
    case TaskKind::kIndexBuild:
    case TaskKind::kPostData:
    case TaskKind::kStatistics:
    case TaskKind::kAcl:
    case TaskKind::kMaterializedView:
    case TaskKind::kEventTrigger:
    case TaskKind::kDatabaseProperty:
      break;  // by statements_of()
  }
  throw Error(ErrorKind::kInternal, fmt::format("no way to carry out {}", task.name));
}

void Worker::copy_table(const Task& task, Progress::Running& running) {
  const TablePlan& table = plan_of(context_.plan, *task.relation);
  const std::int64_t rows =
      copy::copy_table(source(), target(), {.table = *table.table, .into = *table.into, .bytes = running.bytes()});
  context_.progress.add_table({.name = table.table->display(),
                               .rows = rows,
                               .bytes = {running.bytes().load(std::memory_order_relaxed)},
                               .parts = table.parts,
                               .format = table.format,
                               .duration = running.elapsed()});
}

void Worker::copy_large_objects(Progress::Running& running) {
  const copy::LargeObjectsOutcome outcome =
      copy::copy_large_objects(source(), target(), context_.plan.restore, running.bytes());
  context_.progress.set_large_objects(outcome.objects);
  for (const std::string& skipped : outcome.skipped) context_.progress.add_skipped(skipped);
}

void Worker::copy_sequences() {
  try {
    const std::vector<schema::SequenceValue> values = schema::read_sequences(source(), context_.plan.catalog.sequences);
    schema::set_sequences(target(), values);
    context_.progress.set_sequences(static_cast<std::int64_t>(values.size()));
  } catch (Error& error) {
    error.object("sequence values");
    throw;
  }
}

void Worker::release_snapshot() {
  // That it can still answer shows that its locks have protected the tables until now.
  if (holder_) holder_->execute("COMMIT");
  holder_.reset();
  context_.log.info("all rows are read: the snapshot is released");
}

void Worker::make_durable() {
  // Commits are asynchronous during the run. The log is flushed in its order, so one synchronous commit that has
  // written something brings all before it to disk.
  pg::Transaction transaction(target());
  target().execute(
      "SET LOCAL synchronous_commit = on; SELECT pg_catalog.pg_logical_emit_message(true, 'pgsluice', 'end of the "
      "copy')");
  transaction.commit();
}

}  // namespace pgsluice::pipeline
