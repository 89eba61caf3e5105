#pragma once

#include <string>

#include "copy/ledger.h"
#include "pg/connection.h"
#include "pg/snapshot.h"
#include "pipeline/plan/options.h"
#include "pipeline/prepare/run_record.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// The state of an earlier run into the same target, which continues.
struct Continuation {
  copy::LedgerContents ledger;
  RunRecord record;
  /// True if tables that are there in part are copied again, because the source shows other rows now.
  bool inconsistent = false;
};

/// Throws Error(kState) if it is known that a run is resumed with another source than it began with.
void require_same_source(const pg::SnapshotMark& earlier, const pg::SnapshotMark& now);

/// Checks that a run which is resumed (`now`) sees the same rows as when it began, or may continue if not. `source`
/// sees its snapshot. Throws Error(kState): why not, and what can be done.
void check_same_rows(Continuation& continuation, RunRecord& now, pg::Connection& source, const schema::Catalog& catalog,
                     const ResolvedOptions& options, const Log& log);

/// For RunFolder: from which database into which. Empty if a server does not tell its identity.
std::string databases_mark(const pg::SnapshotMark& source, pg::Connection& target);

/// For RunFolder: what a run of this record has copied, from where to where. Empty where a server does not say who it
/// is.
std::string finished_mark(const RunRecord& record, pg::Connection& target);

}  // namespace pgsluice::pipeline
