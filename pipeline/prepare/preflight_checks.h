#pragma once

#include <optional>

#include "pg/connection.h"
#include "pipeline/plan/plan.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

// Checks of the two servers together; source_checks.h and target_checks.h have those of each by itself.

/// The server takes writes, and is of a version that a target may have. Throws Error(kState).
void check_target_server(pg::Connection& target);

/// The two connections lead to different databases, and the target is not older; check_target_server() too. Throws
/// Error(kState).
void check_servers(pg::Connection& source, pg::Connection& target);

/// The target holds nothing that the archive would make. Adds a warning for what else it holds. Throws Error(kState).
void check_conflicts(std::optional<pg::Connection>& source, pg::Connection& target, PlanInput& input,
                     const ResolvedOptions& options);

/// Throws Error(kState) when large objects of the source have OIDs that are in use on the target.
void refuse_large_objects_that_are_there(const std::set<schema::Oid>& on_source, pg::Connection& target);

/// Checks that the target has what these steps build on: the tables of the indexes, the sequences. Throws Error(kState)
/// naming what is missing.
void require_tables_exist(pg::Connection& target, const schema::Catalog& catalog, const Steps& steps);

}  // namespace pgsluice::pipeline
