#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/plan/table_plan.h"
#include "schema/selection/selection.h"

namespace pgsluice::tools {

/// A part of a table as pgcopydb writes it: -1 for what is open, and for the rows without a key.
struct PartBounds {
  std::int64_t first = -1;
  std::int64_t last = -1;
  std::int64_t count = -1;
};
PartBounds part_bounds(const copy::RowRange& range, const std::optional<copy::KeySpan>& span);

/// Remarks besides what the source has.
struct SchemaDocumentSetup {
  std::string snapshot;
  std::string source;  ///< redacted
  std::string target;  ///< redacted
  int table_jobs = 4;
  int index_jobs = 4;
  Bytes split_larger_than;
};

/// Tables with their columns and parts, indexes, sequences: one JSON document with pgcopydb's keys. The plans refer to
/// the catalog, from which the selection has taken what it leaves out; in the source's transaction.
std::string schema_document(pg::Connection& source, const schema::Catalog& catalog,
                            const std::vector<pipeline::TablePlan>& plans,
                            const std::map<schema::Oid, copy::KeySpan>& spans, const SchemaDocumentSetup& setup);

}  // namespace pgsluice::tools
