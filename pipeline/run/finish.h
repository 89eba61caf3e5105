#pragma once

#include "pg/connection.h"
#include "pipeline/run/run_context.h"

namespace pgsluice::pipeline {

// The end of what a run does, by the worker that has the definitions, with its session. In the order in which they are
// called.

/// Brings all rows to the target's disk and lets the source's snapshot go. Throws Error on the target; a holder that
/// was lost is no failure.
void release_snapshot(RunContext& context, pg::Connection& target);

/// Does what is left (completion.h), brings everything to the target's disk, and drops the ledger if nothing is missing
/// and no other command has to follow. Throws Error(kState) where earlier commands have not finished, Error(kServer)
/// for indexes that the server has left invalid, and whatever the target refuses.
void finish(RunContext& context, pg::Connection& target);

}  // namespace pgsluice::pipeline
