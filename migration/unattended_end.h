#pragma once

#include <string>

#include "pgsluice/migration/migration.h"

namespace pgsluice::migration {

// Ends of migrations whose worker is not at work, so that nothing on the target can be dropped.

/// Sets the migration Canceled. Each database's message says what is left of it on the target.
void end_canceled(Migration& migration, const std::string& reason);

/// Ends the databases that are open when their migration fails.
void fail_open_databases(Migration& migration, const std::string& message);

}  // namespace pgsluice::migration
