#include "pipeline/plan/describe_plan.h"

#include <map>

namespace pgsluice::pipeline {

ClonePlan describe_plan(const Plan& plan) {
  ClonePlan result{.database = plan.catalog.database.name,
                   .size = plan.catalog.database.size,
                   .tables = {},
                   .steps = {},
                   .toast_compression = plan.toast_compression,
                   .index_memory = plan.index_memory,
                   .max_parallel_workers = plan.max_parallel_workers,
                   .skipped = plan.skipped,
                   .warnings = plan.warnings};
  for (const TablePlan& table : plan.tables) {
    result.tables.push_back({.schema = table.table->schema,
                             .name = table.table->name,
                             .display = table.table->display(),
                             .size = table.table->size(),
                             .estimated_rows = table.table->estimated_rows,
                             .parts = table.ranges.size(),
                             .format = std::string(to_string(table.format)),
                             .method = table.method,
                             .is_vacuumed = table.upkeep == Upkeep::kVacuumAnalyze,
                             .reason = table.reason});
  }
  std::map<TaskKind, std::size_t> tasks;
  for (const Task& task : plan.graph.tasks()) {
    if (!task.is_barrier()) ++tasks[task.kind];
  }
  for (const auto& [kind, count] : tasks) {
    result.steps.push_back({.id = std::string(id_of(kind)), .label = std::string(label_of(kind)), .tasks = count});
  }
  return result;
}

}  // namespace pgsluice::pipeline
