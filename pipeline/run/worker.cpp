#include "pipeline/run/worker.h"

#include <fmt/format.h>

#include <exception>
#include <utility>
#include <variant>

#include "copy/large_objects.h"
#include "copy/ledger.h"
#include "pg/query_pipeline.h"
#include "pipeline/run/finish.h"
#include "pipeline/run/verify_rows.h"
#include "schema/archive/ddl_restore.h"
#include "schema/catalog/expression_settings.h"
#include "schema/catalog/sequences.h"
#include "store/archived_large_objects.h"

namespace pgsluice::pipeline {

namespace {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

std::string name_of(Lane lane, int number) {
  if (lane == Lane::kMain) return "definitions";
  return fmt::format("{} {}", lane == Lane::kCopy ? "copy" : "build", number);
}

}  // namespace

Worker::Worker(RunContext& context, Lane lane, int number)
    : context_(context),
      lane_(lane),
      name_(name_of(lane, number)),
      sessions_(context, lane, name_),
      rows_(context, sessions_, name_),
      statistics_(context, sessions_, name_) {}

void Worker::run() noexcept {
  try {
    work();
  } catch (const Error& error) {
    context_.scheduler.stop(error.kind() == ErrorKind::kCancelled ? std::nullopt : std::optional(error));
  } catch (const std::exception& error) {
    context_.scheduler.stop(Error(ErrorKind::kInternal, error.what()));
  }
  // Not with the object: the source's snapshot is held as long as one session sees it. One that was stopped may have to
  // hand it on.
  if (context_.scheduler.fatal()) {
    sessions_.close_target();
  } else {
    sessions_.close_all();
  }
  turn_.reset();
}

void Worker::work() {
  while (true) {
    if (const std::optional<TaskId> id = take_task()) {
      if (!take_turn(*id)) return;
      carry_out(*id);
    } else if (StatementQueue* statements = sessions_.in_flight()) {
      statements->take_answer();
    } else {
      return;
    }
  }
}

// With statements in flight only what can be sent after them at once.
std::optional<TaskId> Worker::take_task() {
  if (const StatementQueue* statements = sessions_.in_flight()) {
    const std::optional<double> room = statements->room();
    return room ? context_.scheduler.next_ready(lane_, *room) : std::nullopt;
  }
  bool gives_turn_back = false;
  const auto others_want_turn = [&] { return gives_turn_back = turn_ && context_.pool.takes_idle_turns(); };
  if (sessions_.holds_snapshot()) {
    if (const auto id = context_.scheduler.next_in_snapshot(lane_, others_want_turn)) return id;
    if (!context_.scheduler.stopped() && !gives_turn_back) sessions_.leave_snapshot();
  }
  if (!gives_turn_back) {
    if (const auto id = context_.scheduler.next_unless(lane_, others_want_turn)) return id;
    if (!gives_turn_back) return std::nullopt;
  }
  rest();
  return context_.scheduler.next(lane_);
}

// False when the run has ended before it came.
bool Worker::take_turn(TaskId id) {
  if (lane_ == Lane::kMain) return true;
  const double cost = context_.plan.graph[id].cost;
  const bool in_between = sessions_.in_flight() != nullptr;
  if (turn_ && (in_between || !context_.pool.is_wanted(lane_, cost))) return true;
  // A session that was adopted is there without a turn.
  if (turn_ || context_.pool.takes_idle_turns()) rest();
  turn_ = context_.pool.take(lane_, cost, [this] { return context_.scheduler.stopped(); });
  return turn_.has_value();
}

// Without a turn there are no sessions.
void Worker::rest() {
  sessions_.close_all();
  turn_.reset();
}

void Worker::carry_out(TaskId id) {
  const Task& task = context_.plan.graph[id];
  try {
    Work work = work_of(context_.plan, task);
    if (auto* statements = std::get_if<Statements>(&work)) return send(id, std::move(statements->list));
    while (StatementQueue* before = sessions_.in_flight()) before->take_answer();
    if (std::holds_alternative<CopyRows>(work)) return rows_.copy(with_others(id, kSmallTable.count));
    if (std::holds_alternative<CarryStatistics>(work)) return statistics_.carry(with_others(id, kMaxCostTogether));
    const auto begin = SteadyClock::now();
    {
      Progress::Running running(context_.progress, {id}, task.name);
      execute(id, work, running);
    }
    trace_task(context_, id, {.worker = name_, .begin = begin, .end = SteadyClock::now()});
    context_.scheduler.succeeded(id);
  } catch (const Error& error) {
    if (sessions_.ends_the_run(error)) throw;
    log_failure(context_, id, error, context_.scheduler.failed(id, error));
  }
}

void Worker::send(TaskId id, std::vector<pg::Statement> sql) {
  const std::string& mark = context_.plan.task_marks[id];
  if (const auto earlier = context_.scheduler.earlier_failure(id); earlier && earlier->name_not_found) {
    for (pg::Statement& statement : sql)
      statement.sql.insert(0, schema::search_path_sql(context_.plan.catalog.search_path));
  }
  if (context_.options.ledger && !mark.empty()) sql.front().sql.insert(0, copy::task_done_sql(mark));
  sessions_.statements().send(id, std::move(sql));
}

// Carries out the work that is not sent: carry_out() has dealt with statements and rows.
void Worker::execute(TaskId id, const Work& work, Progress::Running& running) {
  const Task& task = context_.plan.graph[id];
  std::visit(Overloaded{[&](const CopyLargeObjects&) { copy_large_objects(context_.plan.task_marks[id], running); },
                        [&](const SetSequences& values) { copy_sequences(task, values.sequences); },
                        [&](const VerifyRows&) { verify_rows(context_, sessions_, task, running); },
                        [&](const ReleaseSnapshot&) { release_snapshot(context_, sessions_.target()); },
                        [&](const Finish&) { finish(context_, sessions_.target()); },
                        [&](const auto&) {
                          throw Error(ErrorKind::kInternal, fmt::format("no way to carry out {}", task.name));
                        }},
             work);
}

// A small one does not travel alone: others of its kind that are ready, up to this cost together, go with it.
std::vector<TaskId> Worker::with_others(TaskId first, double max_cost) {
  std::vector<TaskId> tasks = {first};
  double room = max_cost - context_.plan.graph[first].cost;
  while (room > 0 && tasks.size() < kMaxTablesTogether) {
    const std::optional<TaskId> next = context_.scheduler.next_to_join(lane_, room, context_.plan.graph[first].kind);
    if (!next) break;
    tasks.push_back(*next);
    room -= context_.plan.graph[*next].cost;
  }
  return tasks;
}

void Worker::copy_large_objects(const std::string& mark, Progress::Running& running) {
  const schema::RestoreOptions& options = context_.plan.restore;
  const copy::Flow flow(running.bytes(), &context_.pace.throttle());
  const copy::LargeObjectsOutcome outcome =
      context_.archive != nullptr
          ? store::restore_large_objects(context_.archive->data, sessions_.target(), options, flow)
          : copy::copy_large_objects(sessions_.source(), sessions_.target(), options, flow);
  context_.progress.set_large_objects(outcome.objects);
  for (const std::string& skipped : outcome.skipped) context_.progress.add_skipped(skipped);
  if (context_.options.ledger) sessions_.target().execute(copy::task_done_sql(mark));
}

// The archive has a statement for each.
void Worker::restore_sequences() {
  std::int64_t count = 0;
  const schema::ArchivesLiterals literals(sessions_.target(), context_.plan.archive);
  pg::QueryPipeline pipeline(sessions_.target());
  for (const schema::TocEntry& entry : context_.plan.archive.entries) {
    if (entry.kind != schema::EntryKind::kSequenceSet) continue;
    pipeline.require({entry.definition});
    ++count;
  }
  pipeline.finish();
  context_.progress.add_sequences(count);
}

void Worker::copy_sequences(const Task& task, std::span<const schema::Sequence> sequences) {
  try {
    if (context_.archive != nullptr) return restore_sequences();
    // No snapshot holds them still, and it may be gone when they are set again.
    const std::vector<schema::SequenceValue> values = schema::read_sequences(sessions_.source_as_it_is(), sequences);
    schema::set_sequences(sessions_.target(), values);
    context_.progress.add_sequences(static_cast<std::int64_t>(values.size()));
  } catch (Error& error) {
    error.object(task.name);
    throw;
  }
}

}  // namespace pgsluice::pipeline
