#pragma once

#include <set>

#include "copy/ledger.h"
#include "pg/connection.h"
#include "pg/snapshot.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

// A run that is resumed with --not-consistent keeps the tables that are whole. Some have to be loaded again all the
// same: those that were loaded in part, and those whose rows were what kept something from being made.

/// For a run that has tried everything (RunRecord::was_all_tried): returns tables that it has loaded, whose rows are
/// other ones on the source now, and which lack on the target a key, a unique index or a CHECK that holds on the
/// source: the rows were mended there. Of a foreign key both tables, as long as rows on the target have no
/// parent. `source` sees the snapshot `now`; `earlier` is that of the rows that were loaded.
std::set<schema::Oid> find_mended_tables(pg::Connection& source, pg::Connection& target,
                                         const pg::SnapshotMark& earlier, const pg::SnapshotMark& now,
                                         const schema::Catalog& catalog, const copy::LedgerContents& ledger);

}  // namespace pgsluice::pipeline
