#include "pipeline/run/run_context.h"

#include <fmt/format.h>

#include <utility>

namespace pgsluice::pipeline {

void log_failure(const RunContext& context, TaskId task, const Error& error, FailureOutcome outcome) {
  switch (outcome) {
    case FailureOutcome::kFailed:
      context.log.error(error);
      break;
    case FailureOutcome::kPostponed:
      context.log.notice(
          fmt::format("{} is tried again when others have succeeded: {}", context.plan.graph[task].name, error.what()));
      break;
    case FailureOutcome::kSkipped:
      break;
  }
}

void trace_task(const RunContext& context, TaskId task, TraceSpan span) {
  if (context.trace == nullptr) return;
  const TaskGraph& graph = context.plan.graph;
  if (span.name.empty()) span.name = graph[task].name;
  span.category = id_of(graph[task].kind);
  if (const std::optional<TaskId> before = context.scheduler.freed_by(task)) span.waited_for = graph[*before].name;
  context.trace->add(std::move(span));
}

}  // namespace pgsluice::pipeline
