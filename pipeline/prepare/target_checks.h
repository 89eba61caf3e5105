#pragma once

#include "pg/connection.h"
#include "pipeline/plan/plan.h"

namespace pgsluice::pipeline {

/// The ledger of a run that begins can be made. Throws Error(kState) where a schema of its name is in the way,
/// Error(kServer, 42501) where the user may not.
void check_ledger_schema(pg::Connection& target, const PlanInput& input, const ResolvedOptions& options);

/// The target has or can get all that it needs: the right to create, roles, extensions, tablespaces.
/// Throws Error on the target.
void check_target(pg::Connection& target, const PlanInput& input, const ResolvedOptions& options);

}  // namespace pgsluice::pipeline
