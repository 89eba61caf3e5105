#include "pgsluice/pipeline/statement_queue.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "pgsluice/base/wait.h"
#include "pgsluice/schema/ddl_restore.h"

namespace pgsluice::pipeline {

namespace {

constexpr int kTries = 5;
constexpr std::chrono::milliseconds kFirstPause{50};  // before a try, doubled with each

std::string_view definition_of(const Task& task) {
  return task.sql.empty() ? std::string_view(task.entry->definition) : task.sql;
}

std::vector<pg::Statement> refresh(const Plan& plan, const Task& task) {
  // It runs as the view's owner and shows what that role may see, as it did on the source: "off", which is right for
  // copying, would make it fail where row-level security is forced.
  const std::string sql = "SET LOCAL row_security = on;\n" + task.entry->definition;
  std::vector<pg::Statement> statements = {schema::entry_statement(plan.archive, *task.entry, plan.restore, sql)};
  if (task.relation != nullptr) statements.push_back({"ANALYZE " + task.relation->quoted()});
  return statements;
}

}  // namespace

std::optional<std::vector<pg::Statement>> statements_of(const Plan& plan, const Task& task) {
  switch (task.kind) {
    case TaskKind::kPreData:
    case TaskKind::kIndexBuild:
    case TaskKind::kPostData:
    case TaskKind::kAcl:
    case TaskKind::kEventTrigger:
      return std::vector{schema::entry_statement(plan.archive, *task.entry, plan.restore, definition_of(task))};
    case TaskKind::kMaterializedView:
      return refresh(plan, task);
    case TaskKind::kStatistics:
    case TaskKind::kDatabaseProperty:
      return std::vector{pg::Statement{task.sql}};
    case TaskKind::kBarrier:
    case TaskKind::kTableData:
    case TaskKind::kLargeObjects:
    case TaskKind::kSequences:
    case TaskKind::kReleaseSnapshot:
    case TaskKind::kDurability:
      break;
  }
  return std::nullopt;
}

std::optional<double> StatementQueue::room() const {
  if (cost_ >= kMostCostTogether) return std::nullopt;
  return kMostCostTogether - cost_;
}

void StatementQueue::send(TaskId task, std::vector<pg::Statement> statements) {
  cost_ += plan_.graph[task].cost;
  put({.task = task, .statements = std::move(statements)});
}

void StatementQueue::put(InFlight task) {
  for (const pg::Statement& statement : task.statements) pipeline_.send(statement);
  task.unanswered = task.statements.size();
  in_flight_.push_back(std::move(task));
  if (!running_) running_.emplace(progress_, plan_.graph[in_flight_.front().task]);
}

void StatementQueue::take_answer() {
  InFlight& oldest = in_flight_.front();
  const pg::Answer answer = answer_for(oldest);
  if (answer.error && !oldest.error) oldest.error = answer.error;
  if (--oldest.unanswered > 0) return;

  InFlight ended = std::move(oldest);
  in_flight_.pop_front();
  const bool again = may_be_tried_again(ended);
  if (again) running_->begins_anew();
  running_.reset();
  if (!in_flight_.empty()) running_.emplace(progress_, plan_.graph[in_flight_.front().task]);
  if (again) {
    try_again(std::move(ended));
  } else {
    cost_ -= plan_.graph[ended.task].cost;
    report(ended);
  }
}

pg::Answer StatementQueue::answer_for(const InFlight& oldest) {
  try {
    return pipeline_.take();
  } catch (Error& error) {
    error.object(plan_.graph[oldest.task].name);
    throw;
  }
}

bool StatementQueue::may_be_tried_again(const InFlight& ended) const {
  // Behind a definition others have been sent that need it: they may have found another object of its name.
  if (plan_.graph[ended.task].kind == TaskKind::kPreData) return false;
  return ended.error && ended.tries < kTries && ended.error->is_retryable();
}

void StatementQueue::try_again(InFlight ended) {
  target_.log().notice(fmt::format("{} is tried again: {}", plan_.graph[ended.task].name, ended.error->what()));
  // With others in flight their time is pause enough.
  if (in_flight_.empty() &&
      wait_for({}, target_.cancel_token(), kFirstPause * (1 << ended.tries)) == WaitResult::kCancelled) {
    target_.cancel_token().throw_if_cancelled();
  }
  ended.error.reset();
  ++ended.tries;
  put(std::move(ended));
}

void StatementQueue::report(const InFlight& ended) {
  if (!ended.error) {
    scheduler_.succeeded(ended.task);
    return;
  }
  const Task& task = plan_.graph[ended.task];
  Error error = *ended.error;
  if (task.entry != nullptr) {
    schema::explain(error, *task.entry, definition_of(task));
  } else {
    error.object(task.name);
  }
  if (scheduler_.failed(ended.task, error)) target_.log().error(error.describe());
}

}  // namespace pgsluice::pipeline
