#include "pgsluice/pipeline/run_context.h"

#include <utility>

namespace pgsluice::pipeline {

void trace_task(const RunContext& context, TaskId task, TraceSpan span) {
  if (context.trace == nullptr) return;
  const TaskGraph& graph = context.plan.graph;
  if (span.name.empty()) span.name = graph[task].name;
  span.category = to_string(graph[task].kind);
  if (const std::optional<TaskId> before = context.scheduler.freed_by(task)) span.waited_for = graph[*before].name;
  context.trace->add(std::move(span));
}

}  // namespace pgsluice::pipeline
