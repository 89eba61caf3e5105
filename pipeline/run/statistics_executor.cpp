#include "pipeline/run/statistics_executor.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "pg/query_pipeline.h"
#include "pipeline/run/statement_queue.h"

namespace pgsluice::pipeline {

void StatisticsExecutor::carry(const std::vector<TaskId>& tasks) {
  std::map<schema::Oid, TaskId> task_of;
  std::vector<const schema::Relation*> tables;
  for (const TaskId id : tasks) {
    const schema::Relation* table = context_.plan.graph[id].relation;
    task_of[table->oid] = id;
    tables.push_back(table);
  }
  // A source that went away after its last row is not needed for this.
  const bool was_in_snapshot = sessions_.holds_snapshot();
  std::vector<schema::TableStatistics> statistics;
  try {
    statistics = schema::read_statistics(sessions_.source_as_it_is(), tables);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled || (was_in_snapshot && sessions_.ends_the_run(error))) throw;
    context_.log.notice(fmt::format("the source's statistics cannot be read: {}", error.describe()));
  }
  std::set<TaskId> left(tasks.begin(), tasks.end());
  std::vector<TaskId> to_write;
  for (const schema::TableStatistics& of : statistics) to_write.push_back(task_of.at(of.table->oid));
  for (const TaskId id : write(std::move(statistics), to_write)) left.erase(id);
  gather({left.begin(), left.end()});
}

// Returns the tasks that are done. One transaction for all; if that fails, one for each.
std::vector<TaskId> StatisticsExecutor::write(std::vector<schema::TableStatistics> statistics,
                                              const std::vector<TaskId>& tasks) {
  if (tasks.empty()) return {};
  std::set<schema::Oid> all_visible;
  for (const TaskId id : tasks) {
    const TablePlan* table = context_.plan.graph[id].table;
    const bool is_frozen = table != nullptr && table->loading == copy::Loading::kFreeze;
    if (is_frozen) all_visible.insert(table->table->oid);
  }
  const auto begin = SteadyClock::now();
  try {
    Progress::Running running(context_.progress, tasks, context_.plan.graph[tasks.front()].name);
    try {
      schema::write_statistics(sessions_.target(), context_.plan.catalog.server_version, statistics, all_visible);
    } catch (...) {
      running.will_retry();
      throw;
    }
  } catch (const Error& error) {
    if (sessions_.ends_the_run(error)) throw;
    std::vector<TaskId> done;
    if (tasks.size() == 1) {
      context_.log.notice(
          fmt::format("{}: the target gathers its own: {}", context_.plan.graph[tasks.front()].name, error.describe()));
      return done;
    }
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      for (const TaskId id : write({std::move(statistics[i])}, {tasks[i]})) done.push_back(id);
    }
    return done;
  }
  for (const TaskId id : tasks) {
    trace_task(context_, id, {.worker = worker_, .begin = begin, .end = SteadyClock::now()});
    context_.scheduler.succeeded(id);
  }
  return tasks;
}

void StatisticsExecutor::gather(const std::vector<TaskId>& tasks) {
  if (tasks.empty()) return;
  pg::QueryPipeline pipeline(sessions_.target());
  for (const TaskId id : tasks) pipeline.send({context_.plan.graph[id].sql});
  for (const TaskId id : tasks) {
    const auto begin = SteadyClock::now();
    std::optional<Error> error;
    {
      const Progress::Running running(context_.progress, {id}, context_.plan.graph[id].name);
      error = pipeline.take().error;
    }
    trace_task(context_, id, {.worker = worker_, .begin = begin, .end = SteadyClock::now()});
    report(id, error);
  }
}

void StatisticsExecutor::report(TaskId id, const std::optional<Error>& error) {
  if (!error) return context_.scheduler.succeeded(id);
  const Task& task = context_.plan.graph[id];
  Error named = *error;
  named.object(task.name);
  if (is_only_listed(task, named)) {
    context_.progress.add_skipped(fmt::format("{}; {}", context_.log.describe(named), task.sql));
    context_.log.warning(named);
    return context_.scheduler.succeeded(id);
  }
  log_failure(context_, id, named, context_.scheduler.failed(id, named));
}

}  // namespace pgsluice::pipeline
