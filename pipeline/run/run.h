#pragma once

#include <atomic>

#include "pipeline/prepare/preflight.h"
#include "pipeline/progress/progress.h"
#include "pipeline/run/run_environment.h"

namespace pgsluice::pipeline {

/// Carries out a plan with the sessions of its preflight: starts the workers, waits for their end or the cancellation,
/// joins them. The environment has a pace. `cancel` is also used to end the workers when one of them meets an error
/// that ends the run. Throws Error for that, or Error(kCancelled).
CloneSummary run_plan(Preflight preflight, const RunEnvironment& environment, Progress& progress,
                      std::atomic<bool>& target_changed, const Log& log, CancelSource& cancel);

}  // namespace pgsluice::pipeline
