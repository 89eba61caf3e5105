#pragma once

#include <cstdint>
#include <optional>

#include "pg/connection.h"
#include "pgsluice/error.h"
#include "pipeline/plan/options.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// Room that a clone needs in the source's lock table, which all sessions of the server share.
struct LockNeed {
  std::int64_t tables = 0;   ///< partitioned ones included
  std::int64_t objects = 0;  ///< that are locked by any session
  std::int64_t holds = 0;    ///< a session and an object that it has locked
};

/// Returns the need of a number of tables that are copied as wholes.
LockNeed lock_need(std::int64_t tables, int table_jobs);
/// Returns the need of a database: tables that are copied in parts lock their indexes too, in each session that copies
/// a part.
LockNeed lock_need(const schema::Catalog& catalog, const HowToCopy& options);

/// Returns a message with the value of max_locks_per_transaction that is needed, if there is less room than that.
std::optional<Error> small_lock_table(pg::Connection& source, const LockNeed& need);
/// Throws it.
void refuse_small_lock_table(pg::Connection& source, const LockNeed& need);

}  // namespace pgsluice::pipeline
