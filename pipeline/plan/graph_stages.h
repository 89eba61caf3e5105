#pragma once

#include "pipeline/plan/graph_products.h"
#include "pipeline/plan/graph_state.h"

namespace pgsluice::pipeline {

// The stages of build_graph(), in their order.

/// Definitions before the data: in the archive's order, but defaults, owned sequences and comments follow at once what
/// they belong to, so that the tables' rows can begin.
PreData add_pre_data(GraphState& state);
/// Rows of tables and their parts, large objects, sequence values, the end of the snapshot.
Rows add_rows(GraphState& state, PreData& pre_data);
/// Indexes, keys, constraints, triggers, rules, policies and the rest of the archive's main pass after the data.
PostData add_post_data(GraphState& state, PreData& pre_data, Rows& rows);
/// VACUUM and ANALYZE; foreign keys are checked after them.
void add_statistics(GraphState& state, PreData& pre_data, const Rows& rows, const PostData& post_data);
/// Privileges, materialized views, event triggers, properties of the database, and the flush at the end.
void add_last(GraphState& state, const PostData& post_data);

}  // namespace pgsluice::pipeline
