#pragma once

#include "pg/connection.h"
#include "pipeline/plan/plan.h"

namespace pgsluice::pipeline {

/// Asks the target for the limits of its configuration. Throws Error(kServer).
TargetResources read_resources(pg::Connection& target);

}  // namespace pgsluice::pipeline
