#include "pipeline/plan/task_graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "pgsluice/error.h"

namespace pgsluice::pipeline {

// Large databases have millions of edges: the token is looked at now and then.
void TaskGraph::note_addition() {
  constexpr std::size_t kEvery = 4096;
  if (++additions_ % kEvery == 0) cancel_.throw_if_cancelled();
}

TaskId TaskGraph::add(Task task) {
  note_addition();
  tasks_.push_back(std::move(task));
  followers_.emplace_back();
  incoming_.push_back(0);
  return tasks_.size() - 1;
}

void TaskGraph::connect(TaskId before, const Edge& edge) {
  if (edge.to == before) return;
  note_addition();
  followers_[before].push_back(edge);
  ++incoming_[edge.to];
}

void TaskGraph::require(TaskId task, TaskId before) {
  connect(before, {.to = task, .required = true, .in_order = false});
}

void TaskGraph::after(TaskId task, TaskId before) {
  connect(before, {.to = task, .required = false, .in_order = false});
}

bool TaskGraph::has_followers_in_order(TaskId id) const {
  return std::any_of(followers_[id].begin(), followers_[id].end(), [](const Edge& edge) { return edge.in_order; });
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
