#pragma once

#include "pipeline/plan/plan.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::pipeline {

/// Fills a plan's graph from its archive, catalog and tables (docs/architecture.md, 7): which task requires which, and
/// which only comes after which. Adds to plan.skipped what the target has already.
void build_graph(Plan& plan, const ResolvedOptions& options, const schema::TargetInventory& inventory);

}  // namespace pgsluice::pipeline
