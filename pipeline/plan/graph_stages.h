#pragma once

#include "pipeline/plan/graph_state.h"

namespace pgsluice::pipeline {

/// The stages of build_graph(), in their order: each adds its tasks behind those of the stages before.

/// Definitions before the data: in the archive's order, but defaults, owned sequences and comments follow at once what
/// they belong to, so that the tables' rows can begin.
void add_pre_data(GraphState& state);
/// Rows of tables and their parts, large objects, sequence values, the end of the snapshot.
void add_data(GraphState& state);
/// Indexes, keys, constraints, triggers, rules, policies and the rest of the archive's main pass behind the data.
void add_post_data(GraphState& state);
/// VACUUM and ANALYZE; foreign keys are checked behind them.
void add_statistics(GraphState& state);
/// Privileges, materialized views, event triggers, properties of the database, and the flush at the end.
void add_last(GraphState& state);

}  // namespace pgsluice::pipeline
