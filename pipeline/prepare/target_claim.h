#pragma once

#include <optional>
#include <string>
#include <vector>

#include "copy/ledger.h"
#include "pg/connection.h"
#include "pipeline/plan/options.h"
#include "pipeline/prepare/continuation.h"

namespace pgsluice::pipeline {

/// Takes the target for this run: no other run continues beside it, and no session of an earlier one is left when this
/// returns. The connection keeps the target as long as it lives. Returns the run to resume; nullopt if a new run
/// begins. Throws Error(kState) with what to do: another run is at work, or an earlier one's state is there and was not
/// asked for.
std::optional<Continuation> take_target(pg::Connection& target, const ResolvedOptions& options, const Log& log);

/// Like the above, without changing anything: what a run would continue with.
std::optional<Continuation> look_at_target(pg::Connection& target, const ResolvedOptions& options);

/// Takes the target again after the connection that kept it was lost, for the run of this id, which had these sessions.
/// Returns the ledger as it is now; nullopt if it is gone. Throws Error(kState) when another run has taken it.
std::optional<copy::LedgerContents> take_target_again(pg::Connection& target, const std::string& run_id,
                                                      const std::vector<copy::Backend>& sessions);

}  // namespace pgsluice::pipeline
