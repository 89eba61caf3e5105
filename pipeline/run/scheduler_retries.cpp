// Tasks that have failed and may succeed later: when they are tried again, and when they are given up.
#include <set>
#include <utility>
#include <vector>

#include "pipeline/run/later_try.h"
#include "pipeline/run/scheduler.h"

namespace pgsluice::pipeline {

// With the error that is kept of it.
void Scheduler::give_up(TaskId task) {
  const Error error = earlier_failures_.at(task).error;
  const bool was_postponed = take_from_postponed(task);
  failures_.push_back({task, error, was_postponed});
  if (policy_ == FailurePolicy::kStopAtFirst) {
    if (!fatal_ && !stopped_) fatal_ = error;
    stopped_ = true;
    signal_end();
  }
  for (const TaskGraph::Edge& edge : graph_.followers(task)) {
    if (edge.required && succeeded_[edge.to]) made_without_.push_back({edge.to, task});
  }
  release(mark_ended(task, task));
}

// For good: mark_ended() takes back what is counted of a task that runs.
bool Scheduler::take_from_postponed(TaskId task) {
  if (postponed_.erase(task) == 0) return false;
  if (is_in_order(graph_[task])) --definitions_postponed_;
  if (travels_together(graph_[task])) ++small_running_;
  return true;
}

void Scheduler::keep(TaskId task, const Error& error) {
  const auto before = earlier_failures_.find(task);
  const bool was_not_found = before != earlier_failures_.end() && before->second.name_not_found;
  earlier_failures_.insert_or_assign(task, EarlierFailure{error, was_not_found || is_name_not_found(error)});
}

void Scheduler::postpone(TaskId task) {
  if (travels_together(graph_[task])) --small_running_;
  if (is_in_order(graph_[task])) ++definitions_postponed_;
  postponed_.insert(task);
  active_carried_.erase(task);
  go_on_when_quiet();
  changed_.notify_all();
}

void Scheduler::requeue(TaskId task) {
  if (is_in_order(graph_[task])) --definitions_postponed_;
  add_ready(task);
}

// Definitions before the data do not wait for the rows of other tables before they are tried again.
void Scheduler::retry_definitions() {
  const bool are_quiet = definitions_running_ == 0 && definitions_ready_ == 0;
  if (definitions_postponed_ == 0 || definitions_since_ == 0 || !are_quiet) return;
  definitions_since_ = 0;
  for (auto task = postponed_.begin(); task != postponed_.end();) {
    if (is_in_order(graph_[*task])) {
      requeue(*task);
      task = postponed_.erase(task);
    } else {
      ++task;
    }
  }
}

bool Scheduler::is_quiet() const {
  return running_ == 0 && std::all_of(ready_.begin(), ready_.end(), [](const auto& ready) { return ready.empty(); });
}

// A loop and not a recursion: release() calls this, too, and very many tasks may have to be given up.
void Scheduler::go_on_when_quiet() {
  if (std::exchange(is_going_on_, true)) return;
  while (goes_on()) {
  }
  is_going_on_ = false;
}

// False when there is nothing to do before a task has ended.
bool Scheduler::goes_on() {
  retry_definitions();
  if (stopped_ || !is_quiet()) return false;
  if (postponed_.empty()) {
    if (held_barriers_.empty()) return false;
    release(std::exchange(held_barriers_, {}));
    return true;
  }
  if (succeeded_since_ > 0) {
    retry_postponed();
    return false;
  }
  if (carry_over()) return true;
  // One after the other, as long as that lets nothing else run.
  while (!postponed_.empty() && !stopped_ && is_quiet()) give_up(*postponed_.begin());
  return true;
}

void Scheduler::retry_postponed() {
  succeeded_since_ = 0;
  definitions_since_ = 0;
  for (const TaskId task : postponed_) requeue(task);
  postponed_.clear();
}

// True if the task copies rows, or if some rows would be skipped without it.
bool Scheduler::rows_need(TaskId task) const {
  std::set<TaskId> seen = {task};
  std::vector<TaskId> to_look_at = {task};
  while (!to_look_at.empty()) {
    const TaskId one = to_look_at.back();
    to_look_at.pop_back();
    if (ended_[one]) continue;
    if (graph_[one].traits().needs_snapshot) return true;
    for (const TaskGraph::Edge& edge : graph_.followers(one)) {
      if (edge.required && seen.insert(edge.to).second) to_look_at.push_back(edge.to);
    }
  }
  return false;
}

bool Scheduler::is_released(TaskId task, const TaskGraph::Edge& edge) const { return carried_[task] && !edge.required; }

// Tasks that only come after postponed ones, or after those that need them, continue without them.
// Rows, and definitions that rows need, are given up: the snapshot is not kept for them. False when there is nothing to
// let go.
bool Scheduler::carry_over() {
  std::vector<TaskId> held;
  for (const TaskId task : postponed_) {
    if (!carried_[task] && rows_need(task)) {
      give_up(task);
      return true;
    }
    if (!carried_[task]) held.push_back(task);
  }
  const bool has_let_go = !held.empty();
  std::vector<TaskId> free;
  while (!held.empty()) {
    const TaskId task = held.back();
    held.pop_back();
    if (carried_[task] || ended_[task]) continue;
    carried_[task] = true;
    for (const TaskGraph::Edge& edge : graph_.followers(task)) {
      if (ended_[edge.to]) continue;
      if (edge.required) held.push_back(edge.to);
      if (is_released(task, edge) && --waits_[edge.to] == 0) free.push_back(edge.to);
    }
  }
  if (has_let_go) release(std::move(free));
  return has_let_go;
}

}  // namespace pgsluice::pipeline
