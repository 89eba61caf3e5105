#include "pipeline/plan/graph_builder.h"

#include "pipeline/plan/graph_stages.h"
#include "pipeline/plan/graph_state.h"

namespace pgsluice::pipeline {

void build_graph(Plan& plan, const ResolvedOptions& options, const schema::TargetInventory& inventory) {
  GraphState state(plan, options, inventory);
  PreData pre_data = add_pre_data(state);
  Rows rows = add_rows(state, pre_data);
  const PostData post_data = add_post_data(state, pre_data, rows);
  add_statistics(state, pre_data, rows, post_data);
  add_last(state, post_data);
}

}  // namespace pgsluice::pipeline
