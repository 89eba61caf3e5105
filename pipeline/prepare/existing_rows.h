#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "copy/row_digest.h"
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

/// Returns the digest of the rows, as text, that are the user's in an extension's table.
copy::RowsDigest digest_of_configuration(pg::Connection& connection, const schema::Relation& table);
/// True if an extension that the target had before anything was changed (`extensions_before`) holds in this
/// configuration table the rows that the source has. Throws Error(kState) if it holds others.
bool has_same_configuration(const schema::Relation& table, pg::Connection& target,
                            const std::map<std::string, std::string, std::less<>>& extensions_before,
                            const std::function<copy::RowsDigest()>& digest_of_source);

}  // namespace pgsluice::pipeline
