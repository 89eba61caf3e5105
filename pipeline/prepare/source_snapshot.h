#pragma once

#include <future>
#include <optional>

#include "pg/connection.h"
#include "pg/snapshot.h"
#include "pipeline/plan/options.h"
#include "pipeline/prepare/continuation.h"

namespace pgsluice::pipeline {

/// The snapshot that the holder's session keeps for the run, and what tells it from others: the one that was asked for,
/// that of the earlier run while a session keeps it, or a new one. Leaves the holder in its transaction. The mark may
/// have only what pg::begin_mark() reads.
pg::SnapshotMark hold_snapshot(pg::Connection& holder, const ResolvedOptions& options,
                               const std::optional<Continuation>& continuation, const Log& log);

/// Completes the mark on the holder's session in a thread of its own, while other sessions read definitions. The holder
/// outlives the future and is not used before it is ready. Throws Error(kServer) and Error(kCancelled) from get().
std::future<pg::SnapshotMark> complete_beside(pg::Connection& holder, pg::SnapshotMark mark);

}  // namespace pgsluice::pipeline
