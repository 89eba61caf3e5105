#include "pipeline/run/worker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <exception>
#include <limits>
#include <set>

#include "base/sqlstate.h"
#include "copy/large_objects.h"
#include "pg/quote.h"
#include "pg/session_settings.h"
#include "pg/transaction.h"
#include "pipeline/compare/row_difference.h"
#include "pipeline/plan/options.h"
#include "pipeline/prepare/continuation.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/prepare/sessions.h"
#include "pipeline/run/completion.h"
#include "pipeline/run/later_try.h"
#include "schema/archive/ddl_restore.h"
#include "schema/catalog/expression_settings.h"
#include "schema/catalog/sequences.h"

namespace pgsluice::pipeline {

namespace {

constexpr std::size_t kMostTablesTogether = 100;
constexpr int kTries = 3;  // of a table alone, after a deadlock

std::vector<const Task*> tasks_of(const Plan& plan, const std::vector<TaskId>& ids) {
  std::vector<const Task*> tasks;
  for (const TaskId id : ids) tasks.push_back(&plan.graph[id]);
  return tasks;
}

// Removes the rows that the extension's script inserted: the source's rows include them, possibly changed or deleted
// since. Extensions that existed before the run are not affected; their tables are only loaded when empty.
std::string clear_configuration(const TablePlan& table) {
  if (!table.table->extension_condition) return "";
  return fmt::format("DELETE FROM ONLY {} {};\n", table.into->quoted(), *table.table->extension_condition);
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
  relay_.reset();
  statements_.reset();
  target_.reset();
  slot_.reset();
  // Not with the object: the source's snapshot is held as long as one session sees it. One that was stopped may have to
  // hand it on.
  if (!context_.scheduler.fatal()) source_.reset();
  turn_.reset();
}

void Worker::work() {
  while (true) {
    if (const std::optional<TaskId> id = take_task()) {
      if (!take_turn(*id)) return;
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
  if (!statements_ || statements_->empty()) {
    if (turn_) {
      if (const auto ready = context_.scheduler.next_ready(lane_, std::numeric_limits<double>::max())) return ready;
      rest();
    }
    return context_.scheduler.next(lane_);
  }
  const std::optional<double> room = statements_->room();
  return room ? context_.scheduler.next_ready(lane_, *room) : std::nullopt;
}

// False when the run has ended before it came.
bool Worker::take_turn(TaskId id) {
  JobPool* pool = context_.pool;
  if (pool == nullptr || lane_ == Lane::kMain) return true;
  const double cost = context_.plan.graph[id].cost;
  const bool in_between = statements_ && !statements_->empty();
  if (turn_ && (in_between || !pool->is_wanted(lane_, cost))) return true;
  rest();
  turn_ = pool->take(lane_, cost, [this] { return context_.scheduler.stopped(); });
  return turn_.has_value();
}

// Without a turn there are no sessions.
void Worker::rest() {
  relay_.reset();
  statements_.reset();
  target_.reset();
  slot_.reset();
  source_.reset();
  turn_.reset();
}

void Worker::carry_out(TaskId id) {
  const Task& task = context_.plan.graph[id];
  try {
    if (std::optional<std::vector<pg::Statement>> sql = statements_of(context_.plan, task)) {
      const std::string& mark = context_.plan.task_marks[id];
      if (const auto earlier = context_.scheduler.earlier_failure(id); earlier && earlier->name_not_found) {
        for (pg::Statement& statement : *sql)
          statement.sql.insert(0, schema::search_path_sql(context_.plan.catalog.search_path));
      }
      if (context_.options.ledger && !mark.empty()) sql->front().sql.insert(0, copy::task_done_sql(mark));
      statements().send(id, std::move(*sql));
      return;
    }
    while (statements_ && !statements_->empty()) statements_->take_answer();
    if (task.kind == TaskKind::kTableData) return copy_tables(with_small_tables(id));
    const auto begin = SteadyClock::now();
    {
      Progress::Running running(context_.progress, task);
      execute(id, running);
    }
    trace_task(context_, id, {.worker = name(), .begin = begin, .end = SteadyClock::now()});
    context_.scheduler.succeeded(id);
  } catch (const Error& error) {
    if (ends_the_run(error)) throw;
    log_failure(context_, id, error, context_.scheduler.failed(id, error));
  }
}

bool Worker::ends_the_run(const Error& error) const {
  // Without a session every task of this worker would fail. A recovery conflict of a standby source (40001) ends the
  // snapshot for good: imported again, it would show a part of the rows. So does its age (old_snapshot_threshold,
  // 72000).
  const bool snapshot_ended = error.side() == Side::kSource && (error.sqlstate() == sqlstate::kSerializationFailure ||
                                                                error.sqlstate() == sqlstate::kSnapshotTooOld);
  return error.poisons_connection() || session_failed_ || snapshot_ended;
}

std::string Worker::name() const {
  if (lane_ == Lane::kMain) return "definitions";
  return fmt::format("{} {}", lane_ == Lane::kCopy ? "copy" : "build", number_);
}

pg::Connection& Worker::source() {
  session_failed_ = true;
  open_source();
  if (source_->idle()) import_snapshot();
  session_failed_ = false;
  return *source_;
}

void Worker::open_source() {
  if (!source_ || !source_->alive()) {
    relay_.reset();
    source_ = open_session(*context_.source, name(), context_.encoding, context_.log, context_.cancel);
  }
  // A statement that failed has ended the transaction and with it the snapshot.
  if (source_->transaction_failed()) source_->execute("ROLLBACK");
}

void Worker::import_snapshot() {
  try {
    pg::import_snapshot(*source_, context_.record.mark.snapshot);
  } catch (const Error& error) {
    // Nobody keeps it any more: the run goes on if a new one shows the same.
    if (error.sqlstate() != sqlstate::kInvalidParameterValue && error.sqlstate() != sqlstate::kUndefinedObject) throw;
    throw Error(ErrorKind::kConnection, fmt::format("the session that kept the snapshot was lost ({})", error.what()))
        .on(Side::kSource);
  }
}

pg::Connection& Worker::target() {
  session_failed_ = true;
  if (!target_ || !target_->alive()) {
    statements_.reset();
    relay_.reset();
    if (!slot_) slot_ = context_.target_slots.take();
    target_ = open_session(context_.target, name(), context_.encoding, context_.log, context_.cancel);
    schema::apply_expression_settings(*target_, context_.plan.catalog.expression_settings);
    if (context_.options.ledger) context_.sessions.add(copy::register_session(*target_));
    if (lane_ == Lane::kCopy && !context_.plan.toast_compression.empty()) {
      target_->execute("SET default_toast_compression = " + context_.plan.toast_compression);
    }
  }
  session_failed_ = false;
  context_.target_changed.store(true, std::memory_order_relaxed);
  return *target_;
}

StatementQueue& Worker::statements() {
  pg::Connection& connection = target();
  if (!statements_) {
    schema::begin_restore(connection, context_.plan.archive);
    statements_.emplace(context_, name(), connection);
  }
  return *statements_;
}

void Worker::execute(TaskId id, Progress::Running& running) {
  const Task& task = context_.plan.graph[id];
  const std::string& mark = context_.plan.task_marks[id];
  switch (task.kind) {
    case TaskKind::kLargeObjects:
      return copy_large_objects(mark, running);
    case TaskKind::kSequences:
      return copy_sequences();
    case TaskKind::kReleaseSnapshot:
      return release_snapshot();
    case TaskKind::kDurability:
      return make_durable();
    case TaskKind::kVerification:
      return verify(task, running);
    case TaskKind::kTableData:  // by copy_tables()
    case TaskKind::kBarrier:
    case TaskKind::kPreData:  // this one and those below by statements_of()
    case TaskKind::kIndexBuild:
    case TaskKind::kPostData:
    case TaskKind::kStatistics:
    case TaskKind::kValidation:
    case TaskKind::kAcl:
    case TaskKind::kMaterializedView:
    case TaskKind::kEventTrigger:
    case TaskKind::kDatabaseProperty:
      break;
  }
  throw Error(ErrorKind::kInternal, fmt::format("no way to carry out {}", task.name));
}

// A small table does not travel alone: others that are ready, up to the size of one that would, go with it.
std::vector<TaskId> Worker::with_small_tables(TaskId first) {
  std::vector<TaskId> tasks = {first};
  double room = static_cast<double>(kSmallTable.count) - context_.plan.graph[first].cost;
  while (room > 0 && tasks.size() < kMostTablesTogether) {
    const std::optional<TaskId> next = context_.scheduler.next_ready(lane_, room, TaskKind::kTableData);
    if (!next) break;
    tasks.push_back(*next);
    room -= context_.plan.graph[*next].cost;
  }
  return tasks;
}

// One transaction for all; if that fails, one for each but the table that it has failed for.
void Worker::copy_tables(const std::vector<TaskId>& tasks) {
  copy::CopyTablesResult result = try_to_copy(tasks);
  const bool is_refused_again = result.error && tasks.size() == 1 && is_refused_by_check(*result.error) &&
                                context_.scheduler.earlier_failure(tasks[0]).has_value();
  if (is_refused_again) result = try_to_copy(tasks, CheckRows::kNone);
  for (int tries = 1; result.error && tasks.size() == 1 && tries < kTries && result.error->is_retryable(); ++tries) {
    if (ends_the_run(*result.error)) break;
    context_.log.notice(fmt::format("{} is tried again: {}", context_.plan.graph[tasks[0]].name, result.error->what()));
    result = try_to_copy(tasks);
  }
  if (!result.error) return;
  if (ends_the_run(*result.error)) throw Error(*result.error);
  const bool alone = tasks.size() == 1;
  if (alone) result.failed = 0;
  // What has met a deadlock, or found no room for a batch's locks, may succeed by itself.
  const bool passes = !alone && (result.error->is_retryable() || result.error->sqlstate() == sqlstate::kOutOfMemory);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (result.failed != i || passes) {
      copy_tables({tasks[i]});
    } else {
      log_failure(context_, tasks[i], *result.error, context_.scheduler.failed(tasks[i], *result.error));
    }
  }
}

std::string Worker::settings_for(const TablePlan& table) const {
  const schema::Catalog& catalog = context_.plan.catalog;
  schema::CopiedText text = schema::CopiedText::kNone;
  if (table.format == copy::CopyFormat::kText) {
    text = schema::may_hold_money(catalog.types, table.table->column_types) ? schema::CopiedText::kWithMoney
                                                                            : schema::CopiedText::kPlain;
  }
  return schema::settings_for_copy(catalog.expression_settings, text);
}

// A table that was refused before comes in another way.
ChecksAfterRows Worker::way_of_later_try(TaskId id, CheckRows rows) {
  const std::optional<EarlierFailure> earlier = context_.scheduler.earlier_failure(id);
  if (!earlier) return {};
  ChecksAfterRows way;
  // Constraints of tables that others have made stay as they are.
  const bool makes_tables = context_.options.steps.contains(Step::kPreData);
  if (makes_tables && is_refused_by_check(earlier->error))
    way = checks_after_rows(target(), *context_.plan.graph[id].table->into, rows);
  if (earlier->name_not_found) way.before.insert(0, schema::search_path_sql(context_.plan.catalog.search_path));
  return way;
}

copy::CopyTablesResult Worker::try_to_copy(const std::vector<TaskId>& tasks, CheckRows rows) {
  const auto begin = SteadyClock::now();
  Progress::Running running(context_.progress, tasks_of(context_.plan, tasks));
  std::vector<copy::TableCopy> copies;
  std::vector<ChecksAfterRows> ways;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const Task& task = context_.plan.graph[tasks[i]];
    const auto triggers = context_.plan.existing.triggers_off.find(task.table->into->oid);
    const TriggersOff off = triggers == context_.plan.existing.triggers_off.end() ? TriggersOff{} : triggers->second;
    ways.push_back(way_of_later_try(tasks[i], rows));
    copies.push_back(
        {.table = *task.table->table,
         .into = *task.table->into,
         .format = task.table->format,
         .loading = task.table->loading,
         .range = *task.range,
         .bytes = running.bytes(i),
         .in_ledger = context_.options.ledger,
         .digested = context_.options.verify,
         .before_generated = schema::search_path_sql(context_.plan.catalog.search_path),
         .before = settings_for(*task.table) + ways[i].before + off.before + clear_configuration(*task.table),
         .behind = off.behind + ways[i].after});
  }
  copy::CopyTablesResult result;
  try {
    pg::Connection& from = source();
    pg::Connection& to = target();
    if (!relay_) relay_ = copy::make_relay(from, to, context_.options.transport);  // which a new session takes away
    result = copy::copy_tables(from, to, *relay_, copies, context_.record.mark.read_before);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) {
      running.begins_anew();  // a part of it is no table that is done
      throw;
    }
    result.error = error;
  }
  if (result.error) {
    running.begins_anew();
    return result;
  }
  TraceSpan span{.worker = name(), .begin = begin, .end = SteadyClock::now()};
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const copy::LoadedRows& loaded = result.copied[i].loaded;
    const TablePlan& table = *context_.plan.graph[tasks[i]].table;
    context_.progress.add_rows(table, loaded, result.copied[i].duration);
    context_.verification.add(*table.into, loaded);
    report_later_try(context_, tasks[i], ways[i], rows);
    span.rows += loaded.rows;
    span.bytes += loaded.bytes.count;
  }
  if (tasks.size() > 1) span.name = fmt::format("rows of {} tables", tasks.size());
  trace_task(context_, tasks.front(), std::move(span));
  for (const TaskId task : tasks) context_.scheduler.succeeded(task);
  return result;
}

void Worker::copy_large_objects(const std::string& mark, Progress::Running& running) {
  const copy::LargeObjectsOutcome outcome =
      copy::copy_large_objects(source(), target(), context_.plan.restore, running.bytes());
  context_.progress.set_large_objects(outcome.objects);
  for (const std::string& skipped : outcome.skipped) context_.progress.add_skipped(skipped);
  note(mark);
}

void Worker::copy_sequences() {
  try {
    // No snapshot holds them still, and it may be gone when they are set again.
    open_source();
    const std::vector<schema::SequenceValue> values = schema::read_sequences(*source_, context_.plan.catalog.sequences);
    schema::set_sequences(target(), values);
    context_.progress.set_sequences(static_cast<std::int64_t>(values.size()));
  } catch (Error& error) {
    error.object("sequence values");
    throw;
  }
}

void Worker::verify(const Task& task, Progress::Running& running) {
  schema::Relation there = *task.relation;
  if (context_.plan.existing.partitioned.contains(there.oid)) there.kind = schema::RelationKind::kPartitionedTable;
  try {
    verify_table(target(), there, task.table->format, context_.verification.of(there), running.bytes(),
                 schema::search_path_sql(context_.plan.catalog.search_path));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kMismatch) throw;
    const std::vector<std::string> rows = name_rows(there);
    if (rows.empty()) throw;
    throw Error(ErrorKind::kMismatch, fmt::format("{}: {}", error.what(), fmt::join(rows, "; ")))
        .on(error.side())
        .object(error.object())
        .hint(error.hint());
  }
}

// Those that differ, by their key: as the snapshot shows them while somebody keeps it, else as the source is by now.
// Over a session of its own, one at a time, since the source has room for one more than copy.
std::vector<std::string> Worker::name_rows(const schema::Relation& table) {
  constexpr int kMostRows = 10;
  std::vector<std::string> rows;
  const std::lock_guard one_at_a_time(context_.verification.naming_rows);
  try {
    pg::Connection source =
        open_session(*context_.source, "differences", context_.encoding, context_.log, context_.cancel);
    try {
      pg::import_snapshot(source, context_.record.mark.snapshot);
    } catch (const Error& error) {
      if (error.poisons_connection()) throw;
      if (!source.idle()) source.execute("ROLLBACK");
      source.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    }
    const std::vector<std::string> key = primary_key_of(source, table.oid);
    if (!key.empty()) {
      std::vector<std::string> columns;
      for (const std::string& column : table.columns) columns.push_back(pg::quote_identifier(column));
      const bool has_children = table.kind == schema::RelationKind::kPartitionedTable;
      pg::Transaction transaction(*target_);
      target_->execute(pg::reading_settings_sql());
      rows =
          different_rows(source, *target_,
                         keys_and_digests_sql((has_children ? "" : "ONLY ") + table.quoted(), key, columns), kMostRows);
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    // That they differ is known; which, 'compare data' is to say.
    context_.log.notice(fmt::format("the rows of {} that differ cannot be named: {}", table.display(), error.what()));
  }
  return rows;
}

void Worker::note(const std::string& mark) {
  if (context_.options.ledger) target().execute(copy::task_done_sql(mark));
}

void Worker::release_snapshot() {
  // What a crash of the target undoes can be copied again only as long as the snapshot is there.
  {
    pg::Transaction transaction(target());
    flush_with_commit();
    transaction.commit();
  }
  try {
    if (context_.holder) context_.holder->execute("COMMIT");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    // Its locks were to keep the tables as they are; that they were so was looked at behind each COPY besides.
    context_.log.notice(fmt::format("the session that kept the snapshot was lost: {}", error.describe()));
  }
  context_.holder.reset();
  if (reads_rows(context_.options.steps)) context_.log.info("all rows are read: the snapshot is released");
}

void Worker::make_durable() {
  give_owners(context_, target());
  complete_extension_tables(context_, target());
  const bool ledger = context_.options.ledger;
  const bool all_is_there = validate_checks(context_, target()) && context_.scheduler.nothing_failed();
  RunRecord record = context_.record;
  for (const std::string& step : ids_of(context_.options.steps)) record.unfinished.erase(step);
  std::optional<Error> defect;
  if (all_is_there && context_.plan.ends_the_copy) defect = find_invalid_indexes(context_, target());
  const bool ends = ledger && all_is_there && !defect && context_.plan.ends_the_copy && record.unfinished.empty();
  {
    pg::Transaction transaction(target());
    flush_with_commit();
    if (ends) {
      if (!is_stepwise(context_.options)) {
        mark_finished(context_, target());
      }
      copy::drop_ledger(target());
    }
    transaction.commit();
  }
  if (ledger && (defect || !all_is_there)) note_that_all_was_tried(context_, target());
  if (defect) throw Error(*defect);
  if (!ledger) return;
  if (!all_is_there) {
    context_.log.info("the ledger (schema pgsluice) stays on the target: resuming tries again what has failed");
  } else if (!ends) {
    // It stays for the commands that follow in a row.
    copy::update_ledger(target(), record.to_text());
    if (!context_.plan.ends_the_copy) return;
    throw Error(ErrorKind::kState,
                fmt::format("earlier commands have not finished: {}", fmt::join(record.unfinished, ", ")))
        .object("the copy as a whole")
        .hint("finish them, then repeat this one")
        .remedy(Remedy::kResume);
  }
}

// Commits are asynchronous during the run. The log is flushed in its order, so one synchronous commit that has written
// something brings all before it to disk.
void Worker::flush_with_commit() {
  target().execute(
      "SET LOCAL synchronous_commit = on; SELECT pg_catalog.pg_logical_emit_message(true, 'pgsluice', 'end of the "
      "copy')");
}

}  // namespace pgsluice::pipeline
