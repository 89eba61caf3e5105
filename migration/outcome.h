#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "migration/target_server.h"
#include "pgsluice/error.h"
#include "pgsluice/migration/migration.h"
#include "pgsluice/server_clone.h"

namespace pgsluice::migration {

/// The part of a database's work that is its comparison with the source, where it is compared.
inline constexpr double kComparisonsPart = 0.2;

/// Counts of tables, bytes and rows, and the part of the work that is done: `copys_part` of it is the copy.
void take_progress(const pipeline::ProgressSnapshot& progress, double copys_part, DatabaseDetails& details);

/// Returns what is left for a person when databases were copied: applications, parameters, roles; what was left out,
/// and warnings.
std::vector<std::string> next_steps(const Migration& migration, const pipeline::ServerSummary& summary);

/// Returns the objects that a copy has not been able to make: all of them, up to a number.
std::string describe_missing(const pipeline::CloneSummary& summary);

/// Gives each database that cannot be migrated, since the source has none of its name or the target has one that is to
/// be kept, that as its message. Returns the first as "database: message".
std::optional<Error> record_obstacles(Migration& migration, const std::set<std::string>& on_source,
                                      const std::map<std::string, DatabaseId>& on_target);

/// Gives each database the first finding of its validations that fails as its message. Returns the first of all as
/// "database: message", or "servers: message" where it is of no database.
std::string record_failed_validations(Migration& migration);

}  // namespace pgsluice::migration
