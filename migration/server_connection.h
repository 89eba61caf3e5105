#pragma once

#include "pg/connection.h"
#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pgsluice/migration/properties.h"

namespace pgsluice::migration {

/// A session with a migration's server. That of the target leads to a database that is not migrated.
/// Throws Error as pg::Connection::open().
pg::Connection connect_to_server(const Request& request, Side side, const Log& log, const CancelToken& cancel);

}  // namespace pgsluice::migration
