#pragma once

#include "pgsluice/plan.h"
#include "pipeline/plan/plan.h"

namespace pgsluice::pipeline {

/// Returns what people and programs are told of a plan.
ClonePlan describe_plan(const Plan& plan);

}  // namespace pgsluice::pipeline
