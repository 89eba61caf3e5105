#pragma once

#include <optional>
#include <string>

#include "copy/ledger.h"
#include "pg/connection.h"
#include "pg/snapshot.h"
#include "pipeline/plan/options.h"
#include "pipeline/prepare/run_record.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// What an earlier run into the same target has left, which goes on.
struct Continuation {
  copy::LedgerContents ledger;
  RunRecord record;
  /// Tables that are there in part are copied anew, since the source shows other rows now.
  bool inconsistent = false;
};

/// Takes the target for this run: no other run continues beside it, and no session of an earlier one is left when this
/// returns. The connection keeps the target as long as it lives. Returns what goes on; nullopt if the run begins
/// anew. Throws Error(kState) with what to do: another run is at work, or an earlier one's state is there and was not
/// asked for.
std::optional<Continuation> take_target(pg::Connection& target, const ResolvedOptions& options, const Log& log);

/// Like the above, without changing anything: what a run would continue with.
std::optional<Continuation> look_at_target(pg::Connection& target, const ResolvedOptions& options);

/// Takes the target again after the connection that kept it was lost, for the run of this id, which had these sessions.
/// Returns the ledger as it is now; nullopt if it is gone. Throws Error(kState) when another run has taken it.
std::optional<copy::LedgerContents> take_target_again(pg::Connection& target, const std::string& run_id,
                                                      const std::vector<copy::Backend>& sessions);

/// The snapshot that the holder's session keeps for the run, and what tells it from others: the one that was asked for,
/// that of the earlier run while a session keeps it, or a new one. Leaves the holder in its transaction.
pg::SnapshotMark hold_snapshot(pg::Connection& holder, const ResolvedOptions& options,
                               const std::optional<Continuation>& continuation, const Log& log);

/// Throws Error(kState) where it is known that a run goes on with another source than it began with.
void require_same_source(const pg::SnapshotMark& earlier, const pg::SnapshotMark& now);

/// Says whether a run that goes on (`now`) sees the same rows as when it began, and whether it goes on if not. `source`
/// sees its snapshot. Throws Error(kState): why not, and what can be done.
void check_same_rows(Continuation& continuation, RunRecord& now, pg::Connection& source, const schema::Catalog& catalog,
                     const ResolvedOptions& options, const Log& log);

/// For RunFolder: from which database into which. Empty if a server does not tell its identity.
std::string databases_mark(const pg::SnapshotMark& source, pg::Connection& target);

/// For RunFolder: what a run of this record has copied, from where to where. Empty where a server does not say who it
/// is.
std::string finished_mark(const RunRecord& record, pg::Connection& target);

}  // namespace pgsluice::pipeline
