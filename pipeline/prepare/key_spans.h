#pragma once

#include <map>

#include "copy/row_ranges.h"
#include "pg/connection.h"
#include "pgsluice/log.h"
#include "pipeline/plan/table_plan.h"

namespace pgsluice::pipeline {

/// Reads the spans of the keys by which tables will be cut into parts: TablePlanInput::key_spans. Throws
/// Error(kServer).
std::map<schema::Oid, copy::KeySpan> read_key_spans(pg::Connection& source, const TablePlanInput& tables,
                                                    const Log& log);

}  // namespace pgsluice::pipeline
