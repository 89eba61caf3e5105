// Measures the bookkeeping for each task: the mutexes of scheduler and progress, locked by one thread.
#include <benchmark/benchmark.h>

#include "pipeline/progress/progress.h"
#include "pipeline/run/scheduler.h"

namespace pgsluice::pipeline {
namespace {

// Chains of four tasks, one chain for each table.
TaskGraph graph_of(std::int64_t tables) {
  TaskGraph graph;
  for (std::int64_t i = 0; i < tables; ++i) {
    TaskId before = graph.add({.kind = TaskKind::kTableData, .lane = Lane::kBuild, .name = "rows", .cost = 1});
    for (const TaskKind kind : {TaskKind::kIndexBuild, TaskKind::kPostData, TaskKind::kStatistics}) {
      const TaskId next = graph.add({.kind = kind, .lane = Lane::kBuild, .name = "next", .cost = 1});
      graph.require(next, before);
      before = next;
    }
  }
  return graph;
}

void BM_ScheduleTasks(benchmark::State& state) {
  const TaskGraph graph = graph_of(state.range(0));
  Progress progress;
  progress.set_work(graph);
  for (auto _ : state) {
    Scheduler scheduler(graph, FailurePolicy::kGoOn);
    while (const std::optional<TaskId> task = scheduler.next(Lane::kBuild)) {
      { const Progress::Running running(progress, {*task}, graph[*task].name); }
      scheduler.succeeded(*task);
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * graph.size()));
}
BENCHMARK(BM_ScheduleTasks)->Arg(1000)->Arg(25000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace pgsluice::pipeline
