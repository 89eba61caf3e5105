#pragma once

#include <chrono>

#include "pgsluice/estimate.h"
#include "pipeline/estimate/samples.h"
#include "pipeline/plan/plan.h"

namespace pgsluice::pipeline {

/// Returns what the plan takes at the rates of the samples. `preparation` is the time of the steps before the first
/// task, which a run repeats.
Estimate estimate(const Plan& plan, const Samples& samples, std::chrono::duration<double> preparation);

}  // namespace pgsluice::pipeline
