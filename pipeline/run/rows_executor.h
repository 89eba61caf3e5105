#pragma once

#include <string>
#include <utility>
#include <vector>

#include "copy/table_copy.h"
#include "pipeline/run/checks_after_rows.h"
#include "pipeline/run/run_context.h"
#include "pipeline/run/worker_sessions.h"

namespace pgsluice::pipeline {

/// Carries CopyRows out: rows of tables over the sessions of one worker, on its thread.
class RowsExecutor {
 public:
  RowsExecutor(RunContext& context, WorkerSessions& sessions, std::string worker)
      : context_(context), sessions_(sessions), worker_(std::move(worker)) {}

  /// Copies tables in one transaction; if that fails, in one for each but the table that it has failed for. The
  /// scheduler is told what became of each. Throws Error where no other task could be carried out either.
  void copy(const std::vector<TaskId>& tasks);

 private:
  copy::CopyTablesResult try_to_copy(const std::vector<TaskId>& tasks, CheckRows rows = CheckRows::kAll);
  ChecksAfterRows how_to_retry(TaskId id, CheckRows rows);
  /// Returns the settings of a table's COPY for its transaction.
  std::string settings_for(const TablePlan& table) const;

  RunContext& context_;
  WorkerSessions& sessions_;
  const std::string worker_;
};

}  // namespace pgsluice::pipeline
