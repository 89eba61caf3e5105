#pragma once

#include <string>
#include <vector>

#include "pipeline/run/run_context.h"
#include "pipeline/run/worker_sessions.h"
#include "schema/catalog/statistics.h"

namespace pgsluice::pipeline {

/// Carries out CarryStatistics: the source's statistics of tables, many to a transaction; where the source has none
/// that are current, or the target refuses them, the target gathers its own. The references outlive it; one worker's
/// thread.
class StatisticsExecutor {
 public:
  StatisticsExecutor(RunContext& context, WorkerSessions& sessions, const std::string& worker)
      : context_(context), sessions_(sessions), worker_(worker) {}

  /// Reports the end of each task to the scheduler. Throws Error for what ends the run.
  void carry(const std::vector<TaskId>& tasks);

 private:
  std::vector<TaskId> write(std::vector<schema::TableStatistics> statistics, const std::vector<TaskId>& tasks);
  void gather(const std::vector<TaskId>& tasks);
  void report(TaskId task, const std::optional<Error>& error);

  RunContext& context_;
  WorkerSessions& sessions_;
  const std::string& worker_;
};

}  // namespace pgsluice::pipeline
