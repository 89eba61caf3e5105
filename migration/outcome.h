#pragma once

#include <string>
#include <vector>

#include "pgsluice/migration/migration.h"
#include "pgsluice/pipeline/server_clone.h"

namespace pgsluice::migration {

/// What is left for a person when databases were copied: applications, parameters, roles; what was left out, and
/// warnings.
std::vector<std::string> next_steps(const Migration& migration, const pipeline::ServerSummary& summary);

/// Gives each database the first finding of its validations that fails as its message. Returns the first of all as
/// "database: message", or "servers: message" where it is of no database.
std::string tell_failed_validations(Migration& migration);

}  // namespace pgsluice::migration
