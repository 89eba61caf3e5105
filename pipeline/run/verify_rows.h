#pragma once

#include "pipeline/plan/task_graph.h"
#include "pipeline/progress/progress.h"
#include "pipeline/run/run_context.h"
#include "pipeline/run/worker_sessions.h"

namespace pgsluice::pipeline {

/// Carries VerifyRows out: reads a table's rows from the target and compares them with what should be there. Throws
/// Error(kMismatch) that names rows which differ, where they have a key.
void verify_rows(RunContext& context, WorkerSessions& sessions, const Task& task, Progress::Running& running);

}  // namespace pgsluice::pipeline
