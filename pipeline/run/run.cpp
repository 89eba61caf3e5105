#include "pipeline/run/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "base/wait.h"
#include "pg/uring_io.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/run/job_pool.h"
#include "pipeline/run/run_sessions.h"
#include "pipeline/run/run_state.h"
#include "pipeline/run/server_watch.h"
#include "pipeline/run/worker.h"

namespace pgsluice::pipeline {

namespace {

std::size_t tasks_of(const TaskGraph& graph, Lane lane) {
  return static_cast<std::size_t>(std::count_if(graph.tasks().begin(), graph.tasks().end(), [&](const Task& task) {
    return task.lane == lane && !task.is_barrier();
  }));
}

// The main worker and as many of the others as there can be use for. What they adopt, the run has no more.
std::vector<std::unique_ptr<Worker>> make_workers(RunContext& context, RunSessions& sessions) {
  std::vector<std::unique_ptr<Worker>> workers;
  auto main = std::make_unique<Worker>(context, Lane::kMain, 0);
  main->adopt_target(std::move(sessions.target));
  workers.push_back(std::move(main));
  const auto add = [&](Lane lane, int jobs) {
    const int useful = static_cast<int>(std::min(tasks_of(context.plan.graph, lane), static_cast<std::size_t>(jobs)));
    for (int i = 0; i < useful; ++i) workers.push_back(std::make_unique<Worker>(context, lane, i + 1));
  };
  add(Lane::kCopy, context.options.table_jobs);
  if (workers.size() > 1 && sessions.source && !context.pool.takes_idle_turns())
    workers[1]->adopt_source(std::move(*sessions.source));
  sessions.source.reset();
  add(Lane::kBuild, context.options.index_jobs);
  return workers;
}

void add_outcome(const Scheduler& scheduler, const TaskGraph& graph, const Log& log, CloneSummary& summary) {
  for (const TaskFailure& failure : scheduler.failures()) {
    summary.failed.push_back({graph[failure.task].name, failure.error});
    if (failure.was_postponed) log.error(failure.error);
  }
  for (const TaskLeftOut& left_out : scheduler.left_out()) {
    summary.left_out.push_back({graph[left_out.task].name, graph[left_out.because_of].name});
  }
  for (const TaskLeftOut& made : scheduler.made_without()) {
    summary.warnings.push_back(fmt::format("{} was made without {}, which it needs: check what it refers to",
                                           graph[made.task].name, graph[made.because_of].name));
  }
}

std::set<TaskId> ids_of(const std::map<TaskId, copy::LoadedRows>& tasks) {
  std::set<TaskId> ids;
  for (const auto& [task, loaded] : tasks) ids.insert(task);
  return ids;
}

// Also of a run that has failed. The copy does not fail for it.
void trace_preparation(const Progress& progress, Trace& trace) {
  for (const PhaseResult& phase : progress.summary().preparation) {
    trace.add({.worker = "preparation",
               .name = phase.name,
               .category = "preparation",
               .begin = phase.begin,
               .end = phase.begin + phase.duration});
  }
}

void write_trace(const Trace& trace, const std::filesystem::path& file, const Log& log) {
  try {
    trace.write(file);
    log.info(fmt::format("trace written to {}: open it in https://ui.perfetto.dev", file.string()));
  } catch (const Error& error) {
    log.warning(error);
  }
}

// The workers' threads from their first task to their last.
void work(RunContext& context, RunSessions& sessions, CancelSource& cancel) {
  Scheduler& scheduler = context.scheduler;
  const PaceControl::Follower following(context.pace, [&](const Pace& pace) {
    if (!context.pool.is_shared()) {
      context.pool.limit_copying(copying_at_once(pace, context.options.table_jobs, 1));
      context.pool.set_paused(pace.paused);
    }
    scheduler.set_paused(pace.paused);
  });
  const std::vector<std::unique_ptr<Worker>> workers = make_workers(context, sessions);
  const ServerWatch watch(context);
  std::vector<std::jthread> threads;
  try {
    for (const std::unique_ptr<Worker>& worker : workers) threads.emplace_back([&worker] { worker->run(); });
    std::array<WaitFor, 1> ended{WaitFor{.fd = scheduler.ended_fd(), .want_read = true}};
    if (wait_for(ended, cancel.token(), std::nullopt) == WaitResult::kCancelled) scheduler.stop(std::nullopt);
  } catch (const std::exception& error) {
    scheduler.stop(Error(ErrorKind::kSystem, fmt::format("cannot start the workers: {}", error.what())));
  }
  // After a lost connection what the others have begun is worth its end.
  const std::optional<Error> fatal = scheduler.fatal();
  if (fatal && !may_go_on(*fatal, context.options)) cancel.cancel();
  context.pool.wake();
  threads.clear();
  for (const std::unique_ptr<Worker>& worker : workers) {
    if (auto source = worker->give_up_source()) sessions.former_sources.push_back(std::move(*source));
  }
}

// Only pgsluice's own archives say how many rows a table has, and they say it of each.
void expect_rows_of_archive(const Plan& plan, const ArchivedSource* archive, Verification& verification) {
  if (archive == nullptr || archive->data.manifest() == nullptr) return;
  for (const TablePlan& table : plan.tables) {
    const auto rows = archive->data.rows_of(*archive->entries.tables.at(table.table->oid));
    if (rows) verification.expect(*table.into, *rows);
  }
}

void report_done(const Plan& plan, const std::map<TaskId, copy::LoadedRows>& done, Progress& progress,
                 Verification& verification, const Log& log) {
  for (const auto& [id, loaded] : done) {
    const Task& task = plan.graph[id];
    progress.add_done(id, loaded);
    if (task.traits().step == Step::kLargeObjects) progress.set_large_objects(plan.catalog.large_objects);
    if (task.copies_rows()) verification.add(*task.table->into, loaded);
  }
  if (!done.empty()) log.info(fmt::format("{} of {} tasks are done already", done.size(), plan.graph.size()));
}

// Binary was asked for; pgcopydb says it of each table, too.
void report_text_against_wish(const Plan& plan, const Log& log) {
  if (plan.options.format != copy::FormatWish::kBinary) return;
  for (const TablePlan& table : plan.tables) {
    const std::size_t reason = table.reason.find("not safe for COPY BINARY");
    if (table.format != copy::CopyFormat::kText || reason == std::string::npos) continue;
    log.info(fmt::format("table {}: {}", table.table->display(), table.reason.substr(reason)));
  }
}

}  // namespace

CloneSummary run_plan(Preflight preflight, const RunEnvironment& environment, Progress& progress,
                      std::atomic<bool>& target_changed, const Log& log, CancelSource& cancel) {
  const std::unique_ptr<const Plan> plan = std::move(preflight.plan);
  const ResolvedOptions& options = plan->options;
  std::optional<JobPool> own_jobs;
  JobPool& pool =
      environment.pool != nullptr ? *environment.pool : own_jobs.emplace(options.table_jobs, options.index_jobs);
  for (const std::string& text : plan->skipped) progress.add_skipped(text);
  for (const std::string& text : plan->warnings) progress.add_warning(text);
  if (const auto reason = pg::UringIo::unavailable_because(); reason && !plan->tables.empty()) {
    log.info(fmt::format("no io_uring on this machine ({}): sockets are polled", *reason));
  }
  report_text_against_wish(*plan, log);
  RunSessions sessions(std::move(preflight), *plan, target_changed, log, cancel.token());
  index::BuildBudget& builds = pool.builds(plan->index_memory, plan->max_parallel_workers);
  std::optional<Trace> trace;
  if (options.trace_file) trace.emplace();

  std::optional<RunStateWriter> state;
  state.emplace(RunFolder(options.work_folder).state_file(), *plan, progress, log);
  const auto finish = [&](CloneSummary summary) {
    progress.enter_phase("done");
    state->finish(summary);
    return summary;
  };

  OwnersToGive owners;
  std::map<TaskId, copy::LoadedRows> done = sessions.begin();
  bool is_first = true;
  while (true) {
    progress.set_work(plan->graph);
    Verification verification;
    expect_rows_of_archive(*plan, sessions.archive.get(), verification);
    report_done(*plan, done, progress, verification, log);
    progress.enter_phase(Progress::kRunning);
    if (trace && is_first) trace_preparation(progress, *trace);
    is_first = false;
    Scheduler scheduler(plan->graph, options.on_failure, ids_of(done),
                        pool.is_shared() ? Scheduler::Definitions::kInMain : Scheduler::Definitions::kInTheirLanes);
    RunContext context{.plan = *plan,
                       .options = options,
                       .pool = pool,
                       .pace = *environment.pace,
                       .source = sessions.source_info,
                       .archive = sessions.archive.get(),
                       .target = sessions.target_info,
                       .encoding = sessions.encoding,
                       .holder = sessions.holder,
                       .record = sessions.record,
                       .sessions = sessions.of_target,
                       .target_slots = pool.target_slots(),
                       .scheduler = scheduler,
                       .builds = builds,
                       .progress = progress,
                       .verification = verification,
                       .owners = owners,
                       .continues = sessions.continues(),
                       .trace = trace ? &*trace : nullptr,
                       .target_changed = target_changed,
                       .log = log,
                       .cancel = cancel.token()};
    work(context, sessions, cancel);
    const std::optional<Error> fatal = scheduler.fatal();
    if (!fatal && (scheduler.finished() || !cancel.cancelled())) {
      if (trace) write_trace(*trace, *options.trace_file, log);
      CloneSummary summary = progress.summary();
      add_outcome(scheduler, plan->graph, log, summary);
      return finish(std::move(summary));
    }
    if (trace && (!fatal || !may_go_on(*fatal, options))) write_trace(*trace, *options.trace_file, log);
    if (!fatal) cancel.token().throw_if_cancelled();
    if (!may_go_on(*fatal, options)) throw Error(*fatal);
    progress.enter_phase("waiting for the servers");
    const std::string snapshot = sessions.record.mark.snapshot.name;
    done = sessions.recover(*fatal);
    if (sessions.record.mark.snapshot.name != snapshot) progress.hold_snapshot();
    if (sessions.nothing_left()) return finish(progress.summary());
  }
}

}  // namespace pgsluice::pipeline
