#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/plan/plan.h"
#include "schema/catalog/catalog.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::pipeline {

/// The two connections lead to different databases, and the target is not older. Throws Error(kState).
void check_servers(pg::Connection& source, pg::Connection& target);

/// The target holds nothing that the archive would make. Adds a warning for what else it holds. Throws Error(kState).
void check_conflicts(std::optional<pg::Connection>& source, pg::Connection& target, PlanInput& input,
                     const ResolvedOptions& options);

/// Throws Error(kState) when large objects of the source have OIDs that are in use on the target.
void refuse_large_objects_that_are_there(pg::Connection& source, pg::Connection& target);

/// What these steps build on is on the target: the tables of the indexes, the sequences. Throws Error(kState) naming
/// what is missing.
void require_tables_exist(pg::Connection& target, const schema::Catalog& catalog, const Steps& steps);

/// Returns the tables that rows go into and that hold rows which this run has not loaded (`loaded`).
std::set<schema::Oid> tables_to_empty(const schema::Catalog& catalog, const ExistingTarget& existing,
                                      const std::set<schema::Oid>& loaded);
/// Throws Error(kState) naming them.
void refuse_rows_that_are_there(const PlanInput& input);
/// Throws Error(kState) naming tables that the target's foreign keys allow none of to be filled first, unless their
/// rows are there (`loaded`).
void refuse_keys_in_a_circle(const PlanInput& input, const std::set<schema::Oid>& loaded);

/// True if an extension that the target had before anything was changed holds the rows of this configuration table of
/// its. Throws Error(kState) where it holds others.
bool has_same_configuration(pg::Connection& source, pg::Connection& target, const schema::Relation& table,
                            const std::map<std::string, std::string, std::less<>>& extensions_before);

/// The ledger of a run that begins can be made. Throws Error(kState) where a schema of its name is in the way,
/// Error(kServer, 42501) where the user may not.
void check_ledger_schema(pg::Connection& target, const PlanInput& input, const ResolvedOptions& options);

/// The target has or can get all that it needs: the right to create, roles, extensions, tablespaces.
/// Throws Error on the target.
void check_target(pg::Connection& target, const PlanInput& input, const ResolvedOptions& options);

}  // namespace pgsluice::pipeline
