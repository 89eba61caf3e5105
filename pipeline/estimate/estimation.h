#pragma once

#include <chrono>
#include <set>

#include "pgsluice/estimate.h"
#include "pgsluice/pace.h"
#include "pipeline/estimate/samples.h"
#include "pipeline/plan/plan.h"

namespace pgsluice::pipeline {

/// The other facts of an estimate.
struct EstimateContext {
  /// The time of the steps before the first task, which a run repeats.
  std::chrono::duration<double> preparation{};
  Pace pace = {};
  /// Tasks that an earlier run has done.
  std::set<TaskId> done = {};
};

/// Returns what the plan takes at the rates of the samples.
Estimate estimate(const Plan& plan, const Samples& samples, const EstimateContext& context);

}  // namespace pgsluice::pipeline
