#include "pgsluice/pipeline/statement_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pgsluice/schema/ddl_restore.h"

namespace pgsluice::pipeline {

namespace {

constexpr int kTries = 5;
// Of tasks in flight together, in the unit of Task::cost: 256 of the shortest statements fill a round trip of 20 ms and
// more; and all are done within a fraction of a second, so that no worker is left with much at the end.
constexpr double kMostCost = 4 * 1024 * 1024;

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

std::vector<pg::Statement> statements_of(const Plan& plan, const Task& task) {
  switch (task.kind) {
    case TaskKind::kPreData:
    case TaskKind::kIndexBuild:
    case TaskKind::kPostData:
    case TaskKind::kAcl:
    case TaskKind::kEventTrigger:
      return {schema::entry_statement(plan.archive, *task.entry, plan.restore, definition_of(task))};
    case TaskKind::kMaterializedView:
      return refresh(plan, task);
    case TaskKind::kStatistics:
    case TaskKind::kDatabaseProperty:
      return {{task.sql}};
    case TaskKind::kBarrier:
    case TaskKind::kTableData:
    case TaskKind::kLargeObjects:
    case TaskKind::kSequences:
    case TaskKind::kReleaseSnapshot:
    case TaskKind::kDurability:
      break;
  }
  return {};
}

std::optional<double> StatementQueue::room() const {
  if (cost_ >= kMostCost) return std::nullopt;
  return kMostCost - cost_;
}

void StatementQueue::send(TaskId task, std::vector<pg::Statement> statements) {
  for (const pg::Statement& statement : statements) pipeline_.send(statement);
  const std::size_t count = statements.size();
  in_flight_.push_back({.task = task, .statements = std::move(statements), .unanswered = count});
  cost_ += plan_.graph[task].cost;
  begin_oldest();
}

void StatementQueue::begin_oldest() {
  if (!running_ && !in_flight_.empty()) running_.emplace(progress_, plan_.graph[in_flight_.front().task]);
}

void StatementQueue::take_answer() {
  const pg::Answer answer = pipeline_.take();
  InFlight& oldest = in_flight_.front();
  if (answer.error && !oldest.error) oldest.error = answer.error;
  if (--oldest.unanswered > 0) return;

  InFlight ended = std::move(oldest);
  in_flight_.pop_front();
  if (ended.tries > 1) --tried_again_;
  if (may_be_tried_again(ended)) {
    try_again(std::move(ended));
  } else {
    running_.reset();
    cost_ -= plan_.graph[ended.task].cost;
    report(ended);
  }
  begin_oldest();
}

bool StatementQueue::may_be_tried_again(const InFlight& ended) const {
  if (!ended.error || ended.tries >= kTries) return false;
  if (ended.error->is_retryable()) return true;
  // Definitions are sent behind the ones they need: it may have missed one that is tried again itself.
  return tried_again_ > 0 && plan_.graph[ended.task].kind == TaskKind::kPreData;
}

void StatementQueue::try_again(InFlight ended) {
  target_.log().notice(fmt::format("{} is tried again: {}", plan_.graph[ended.task].name, ended.error->what()));
  running_->begins_anew();
  running_.reset();
  for (const pg::Statement& statement : ended.statements) pipeline_.send(statement);
  ended.unanswered = ended.statements.size();
  ended.error.reset();
  ++ended.tries;
  ++tried_again_;
  in_flight_.push_back(std::move(ended));
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
