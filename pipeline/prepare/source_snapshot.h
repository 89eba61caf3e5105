#pragma once

#include <optional>

#include "pg/connection.h"
#include "pg/snapshot.h"
#include "pipeline/plan/options.h"
#include "pipeline/prepare/continuation.h"

namespace pgsluice::pipeline {

/// The snapshot that the holder's session keeps for the run, and what tells it from others: the one that was asked for,
/// that of the earlier run while a session keeps it, or a new one. Leaves the holder in its transaction.
pg::SnapshotMark hold_snapshot(pg::Connection& holder, const ResolvedOptions& options,
                               const std::optional<Continuation>& continuation, const Log& log);

}  // namespace pgsluice::pipeline
