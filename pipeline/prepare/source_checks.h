#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/plan/plan.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// Checks of a source before a copy of it begins; target_checks.h has the same of the target.

/// Every table can be read whole: SELECT is granted and no row-level security hides rows; so can every large object; a
/// standby has its rows; the lock table has room. Returns warnings: what may end the run later. Throws Error(kServer)
/// or Error(kConfig) on the source.
std::vector<std::string> check_source(pg::Connection& source, const schema::Catalog& catalog,
                                      const ResolvedOptions& options);

/// No table has a row that no COPY can send, as far as that can be found at little cost (wide_rows.h).
/// Throws Error(kServer) naming the first.
void check_wide_rows(pg::Connection& source, const std::vector<TablePlan>& tables, const schema::ColumnTypes& types);

}  // namespace pgsluice::pipeline
