#pragma once

#include <string>

#include "pg/connection.h"
#include "pg/snapshot.h"

namespace pgsluice::pg {

// Two snapshots of a server differ as soon as a transaction ran in any of its databases. Whether this one shows the
// same in both is known by its rows: every version of a row names the transaction that has made it (xmin), and a row
// that is gone is missing in their number.

/// A text of all that the database's system catalogs say, as the session's snapshot shows it: any change of a
/// definition makes it another one, as does a large object that comes or goes. Temporary objects, statistics and what
/// large objects hold do not count. Some milliseconds for
/// a database of a thousand tables.
std::string definitions_mark(Connection& connection);

/// A condition for SQL that holds for the versions of rows that the snapshot `now`, which the
/// session sees, shows and the earlier one has not shown. Of those that were made while the oldest transaction that it
/// saw running was at work, it holds for all: they may be of one of its subtransactions, which a snapshot does not
/// name.
std::string not_shown_condition(const SnapshotMark& earlier, const SnapshotMark& now);

}  // namespace pgsluice::pg
