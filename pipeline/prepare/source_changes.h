#pragma once

#include <optional>
#include <string>

#include "copy/ledger.h"
#include "pg/connection.h"
#include "pg/snapshot.h"
#include "pgsluice/log.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// True if everything that crosses by rows was loaded by an earlier run, so that the source need not be read for it.
bool everything_is_loaded(const copy::LedgerContents& ledger, const schema::Catalog& catalog, bool large_objects);

/// Looks whether a database shows what it showed when an earlier run read it, although transactions ran on its server
/// since: its definitions, and the rows of those parts of tables that the run has loaded. Others may have changed,
/// since they are read now. Reads every row of those parts where they are, which takes the time of a count.
///
/// `source` sees the snapshot `now`, which is comparable with the earlier one (pg::why_not_comparable). Returns what is
/// not the same, or cannot be known; nullopt if all is.
std::optional<std::string> find_change(pg::Connection& source, const pg::SnapshotMark& earlier,
                                       const pg::SnapshotMark& now, const schema::Catalog& catalog,
                                       const copy::LedgerContents& ledger, const Log& log);

/// True if the rows of a part are other ones than those that were loaded at the earlier snapshot.
bool has_changed(pg::Connection& source, const pg::SnapshotMark& earlier, const pg::SnapshotMark& now,
                 const schema::Relation& table, const copy::LedgerPart& part);

}  // namespace pgsluice::pipeline
