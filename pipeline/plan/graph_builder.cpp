#include "pipeline/plan/graph_builder.h"

#include "pipeline/plan/graph_stages.h"
#include "pipeline/plan/graph_state.h"

namespace pgsluice::pipeline {

void build_graph(Plan& plan, const ResolvedOptions& options, const schema::TargetInventory& inventory) {
  GraphState state(plan, options, inventory);
  add_pre_data(state);
  add_data(state);
  add_post_data(state);
  add_statistics(state);
  add_last(state);
}

}  // namespace pgsluice::pipeline
