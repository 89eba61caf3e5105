#include "pgsluice/pipeline/task_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "pgsluice/base/error.h"

namespace pgsluice::pipeline {

std::string_view to_string(TaskKind kind) {
  switch (kind) {
    case TaskKind::kBarrier:
      return "wait";
    case TaskKind::kPreData:
      return "definitions";
    case TaskKind::kTableData:
      return "table data";
    case TaskKind::kLargeObjects:
      return "large objects";
    case TaskKind::kSequences:
      return "sequences";
    case TaskKind::kReleaseSnapshot:
      return "release snapshot";
    case TaskKind::kIndexBuild:
      return "index builds";
    case TaskKind::kPostData:
      return "constraints, triggers and the rest";
    case TaskKind::kStatistics:
      return "vacuum and statistics";
    case TaskKind::kVerification:
      return "verification of rows";
    case TaskKind::kValidation:
      return "foreign key validation";
    case TaskKind::kAcl:
      return "privileges";
    case TaskKind::kMaterializedView:
      return "materialized views";
    case TaskKind::kEventTrigger:
      return "event triggers";
    case TaskKind::kDatabaseProperty:
      return "database properties";
    case TaskKind::kDurability:
      return "flush";
  }
  return "";
}

TaskId TaskGraph::add(Task task) {
  tasks_.push_back(std::move(task));
  followers_.emplace_back();
  incoming_.push_back(0);
  return tasks_.size() - 1;
}

void TaskGraph::connect(TaskId before, const Edge& edge) {
  if (edge.to == before) return;
  followers_[before].push_back(edge);
  ++incoming_[edge.to];
}

void TaskGraph::require(TaskId task, TaskId before) {
  connect(before, {.to = task, .required = true, .in_order = false});
}

void TaskGraph::after(TaskId task, TaskId before) {
  connect(before, {.to = task, .required = false, .in_order = false});
}

void TaskGraph::require_in_order(TaskId task, TaskId before) {
  connect(before, {.to = task, .required = true, .in_order = true});
}

std::vector<double> TaskGraph::remaining_costs() const {
  // Kahn's order, then backwards.
  std::vector<std::size_t> waits = incoming_;
  std::vector<TaskId> order;
  order.reserve(size());
  for (TaskId id = 0; id < size(); ++id) {
    if (waits[id] == 0) order.push_back(id);
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (const Edge& edge : followers_[order[i]]) {
      if (--waits[edge.to] == 0) order.push_back(edge.to);
    }
  }
  if (order.size() != size()) {
    std::string circle;
    for (TaskId id = 0; id < size() && circle.size() < 300; ++id) {
      if (waits[id] != 0) circle += (circle.empty() ? "" : ", ") + tasks_[id].name;
    }
    throw Error(ErrorKind::kInternal, fmt::format("tasks wait for one another: {}", circle));
  }
  std::vector<double> remaining(size(), 0);
  for (auto id = order.rbegin(); id != order.rend(); ++id) {
    double longest = 0;
    for (const Edge& edge : followers_[*id]) longest = std::max(longest, remaining[edge.to]);
    remaining[*id] = tasks_[*id].cost + longest;
  }
  return remaining;
}

}  // namespace pgsluice::pipeline
