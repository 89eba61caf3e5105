#pragma once

#include "pgsluice/steps.h"
#include "pipeline/plan/task_graph.h"
#include "schema/archive/archive.h"

namespace pgsluice::pipeline {

/// Makes barriers of the tasks that are not of these steps: what other commands do, or have done. Materialized views
/// are filled by commands that do what is left, and by those that copy the rows last of all.
void replace_steps_of_other_commands(TaskGraph& graph, const schema::Archive& archive, const Steps& steps,
                                     bool is_final_command);

}  // namespace pgsluice::pipeline
