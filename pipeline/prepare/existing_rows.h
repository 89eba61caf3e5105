#pragma once

#include <map>
#include <set>
#include <string>

#include "pg/connection.h"
#include "pipeline/plan/plan.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

// Rows that the target holds before a run loads its own.

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

}  // namespace pgsluice::pipeline
