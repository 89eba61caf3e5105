#include "pipeline/run/scheduler.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "pipeline/plan/options.h"
#include "pipeline/run/later_try.h"

namespace pgsluice::pipeline {

namespace {
constexpr double kAnyCost = std::numeric_limits<double>::infinity();
}  // namespace

bool Scheduler::travels_together(const Task& task) {
  return task.traits().batching == Batching::kSmallTogether && task.cost < kMaxCostTogether;
}

bool Scheduler::is_in_order(const Task& task) { return task.traits().retry == Retry::kInOrder; }

Lane Scheduler::lane_of(TaskId task) const {
  const bool is_moved = definitions_ == Definitions::kInMain && is_in_order(graph_[task]);
  return is_moved ? Lane::kMain : graph_[task].lane;
}

Scheduler::Scheduler(const TaskGraph& graph, FailurePolicy policy, const std::set<TaskId>& done,
                     Definitions definitions)
    : graph_(graph),
      policy_(policy),
      definitions_(definitions),
      weights_(graph.remaining_costs()),
      waits_(graph.size()),
      doomed_by_(graph.size()),
      freed_by_(graph.size()),
      begun_(graph.size()),
      ended_(graph.size()),
      succeeded_(graph.size()),
      carried_(graph.size()),
      left_(graph.size()),
      end_event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!end_event_.valid()) throw system_error("cannot make an event descriptor", errno);
  for (TaskId task = 0; task < graph_.size(); ++task) {
    waits_[task] = graph_.waits_for(task);
    if (!graph_[task].is_barrier()) ++left_in_lane_[index_of(lane_of(task))];
    if (graph_[task].traits().needs_snapshot) ++left_in_snapshot_;
  }
  // A build that takes an hour would keep the rows of other tables waiting for definitions that take a moment. Those of
  // small tables keep the archive's order among themselves: all of a table's are made together, and its rows can begin.
  const double heaviest = weights_.empty() ? 0 : *std::max_element(weights_.begin(), weights_.end());
  const auto without_small = [](double weight) {
    return (1 + std::floor(weight / kMaxCostTogether)) * kMaxCostTogether;
  };
  for (TaskId task = 0; task < graph_.size(); ++task) {
    if (is_in_order(graph_[task])) weights_[task] = heaviest + without_small(weights_[task]);
    // The main lane goes in the archive's order, which is that of the task numbers.
    if (lane_of(task) == Lane::kMain) weights_[task] = 0;
  }
  const MutexLock lock(mutex_);
  std::set<TaskId> free;
  for (TaskId task = 0; task < graph_.size(); ++task) {
    if (graph_.waits_for(task) == 0) free.insert(task);
  }
  for (const TaskId task : done) {
    const std::vector<TaskId> freed = mark_ended(task, std::nullopt);
    free.insert(freed.begin(), freed.end());
  }
  for (const TaskId task : done) free.erase(task);
  release({free.begin(), free.end()});
}

// The relation of the first claim that cannot be had now.
std::optional<schema::Oid> Scheduler::conflicting_claim(const Task& task) const {
  for (const index::LockClaim& claim : task.claims) {
    const auto [begin, end] = held_.equal_range(claim.relation);
    const bool is_held =
        std::any_of(begin, end, [&](const auto& held) { return index::conflicts(held.second, claim.mode); });
    if (is_held) return claim.relation;
  }
  return std::nullopt;
}

void Scheduler::add_ready(TaskId task) {
  if (carried_[task]) active_carried_.insert(task);
  ready_[index_of(lane_of(task))].insert({weights_[task], task});
  count_as_ready(task, true);
}

void Scheduler::count_as_ready(TaskId task, bool is_ready) {
  const auto count = [is_ready](std::size_t& number) { is_ready ? ++number : --number; };
  if (travels_together(graph_[task])) count(small_ready_);
  if (is_in_order(graph_[task])) count(definitions_ready_);
}

// A task that will not begin now. False if it was not to begin.
bool Scheduler::take_from_ready(TaskId task) {
  const Ready ready{weights_[task], task};
  if (const auto waiting = waits_for_claim_.find(task); waiting != waits_for_claim_.end()) {
    put_aside_[waiting->second].erase(ready);
    waits_for_claim_.erase(waiting);
  } else if (ready_[index_of(lane_of(task))].erase(ready) > 0) {
    count_as_ready(task, false);
  } else {
    return false;
  }
  // Others may have been left aside in expectation of its claims.
  for (const index::LockClaim& claim : graph_[task].claims) take_up_again(claim.relation);
  return true;
}

// Looks again at tasks that waited for a claim on the relation: at as many as there can be workers, at the others when
// these have ended.
void Scheduler::take_up_again(schema::Oid relation) {
  const auto aside = put_aside_.find(relation);
  if (aside == put_aside_.end()) return;
  for (int left = kMaxJobs; left > 0 && !aside->second.empty(); --left) {
    const TaskId task = aside->second.begin()->task;
    aside->second.erase(aside->second.begin());
    waits_for_claim_.erase(task);
    add_ready(task);
  }
  if (aside->second.empty()) put_aside_.erase(aside);
}

void Scheduler::hold_claims(const Task& task) {
  for (const index::LockClaim& claim : task.claims) held_.emplace(claim.relation, claim.mode);
}

void Scheduler::release_claims(const Task& task) {
  for (const index::LockClaim& claim : task.claims) {
    const auto [begin, end] = held_.equal_range(claim.relation);
    const auto found = std::find_if(begin, end, [&](const auto& held) { return held.second == claim.mode; });
    if (found != end) held_.erase(found);
    take_up_again(claim.relation);
  }
}

// `joins`: the kind of a batch that the task would join.
std::optional<TaskId> Scheduler::take_ready(Lane lane, double max_cost, std::optional<TaskKind> joins) {
  if (paused_) return std::nullopt;
  std::set<Ready>& ready = ready_[index_of(lane)];
  for (auto candidate = ready.begin(); candidate != ready.end();) {
    const Ready next = *candidate;
    const TaskId task = next.task;
    if (const std::optional<schema::Oid> claimed = conflicting_claim(graph_[task])) {
      candidate = ready.erase(candidate);
      count_as_ready(task, false);
      put_aside_[*claimed].insert(next);
      waits_for_claim_[task] = *claimed;
      continue;
    }
    if (!joins && is_held_for_batch(graph_[task])) {
      ++candidate;
      continue;
    }
    if (graph_[task].cost > max_cost || (joins && graph_[task].kind != *joins)) return std::nullopt;
    ready.erase(candidate);
    count_as_ready(task, false);
    begin(task);
    return task;
  }
  return lane == Lane::kMain && !joins ? take_definition_of_builders(max_cost) : std::nullopt;
}

// All builders may be at work for an hour when a definition gets ready.
std::optional<TaskId> Scheduler::take_definition_of_builders(double max_cost) {
  std::set<Ready>& ready = ready_[index_of(Lane::kBuild)];
  if (ready.empty()) return std::nullopt;
  const TaskId task = ready.begin()->task;  // definitions come first
  if (!is_in_order(graph_[task]) || graph_[task].cost > max_cost) return std::nullopt;
  ready.erase(ready.begin());
  count_as_ready(task, false);
  begin(task);
  return task;
}

bool Scheduler::is_held_for_batch(const Task& task) const {
  const bool may_get_company = small_running_ > 0 || definitions_running_ > 0 || definitions_ready_ > 0;
  return travels_together(task) && small_ready_ < kMinimumBatch && may_get_company;
}

void Scheduler::begin(TaskId task) {
  hold_claims(graph_[task]);
  if (travels_together(graph_[task])) ++small_running_;
  ++running_;
  if (is_in_order(graph_[task])) ++definitions_running_;
  const bool was_begun = begun_[task];
  begun_[task] = true;
  if (was_begun) return;  // a later try: what may follow it in order has begun with the first
  std::vector<TaskId> free;
  for (const TaskGraph::Edge& edge : graph_.followers(task)) {
    if (edge.in_order && !ended_[edge.to] && --waits_[edge.to] == 0) free.push_back(edge.to);
  }
  if (!free.empty()) release(std::move(free));
}

std::optional<TaskId> Scheduler::next(Lane lane) { return next_unless(lane, {}); }

std::optional<TaskId> Scheduler::next_in_snapshot(Lane lane, const std::function<bool()>& gives_up) {
  return next_unless(lane, [&]() REQUIRES(mutex_) { return left_in_snapshot_ == 0 || (gives_up && gives_up()); });
}

std::optional<TaskId> Scheduler::next_unless(Lane lane, const std::function<bool()>& gives_up) {
  MutexLock lock(mutex_);
  while (!stopped_ && left_in_lane_[index_of(lane)] > 0) {
    if (const std::optional<TaskId> task = take_ready(lane, kAnyCost, std::nullopt)) return task;
    if (gives_up && gives_up()) break;
    lock.wait(changed_);
  }
  return std::nullopt;
}

void Scheduler::set_paused(bool paused) {
  const MutexLock lock(mutex_);
  paused_ = paused;
  changed_.notify_all();
}

std::optional<TaskId> Scheduler::next_ready(Lane lane, double max_cost) {
  const MutexLock lock(mutex_);
  return stopped_ ? std::nullopt : take_ready(lane, max_cost, std::nullopt);
}

std::optional<TaskId> Scheduler::next_to_join(Lane lane, double max_cost, TaskKind kind) {
  const MutexLock lock(mutex_);
  return stopped_ ? std::nullopt : take_ready(lane, max_cost, kind);
}

int Scheduler::count_ready(Lane lane, double least_cost, int most) const {
  const MutexLock lock(mutex_);
  int count = 0;
  for (const Ready& candidate : ready_[index_of(lane)]) {
    if (count == most) break;
    const Task& task = graph_[candidate.task];
    if (task.cost >= least_cost && !conflicting_claim(task)) ++count;
  }
  return count;
}

std::optional<TaskId> Scheduler::freed_by(TaskId task) const {
  const MutexLock lock(mutex_);
  return freed_by_[task];
}

void Scheduler::release(std::vector<TaskId> free) {
  // A loop and not a recursion: a chain of barriers and left-out tasks may be long.
  while (!free.empty()) {
    const TaskId task = free.back();
    free.pop_back();
    const bool barrier = graph_[task].is_barrier();
    if (graph_[task].is_last_chance && (!postponed_.empty() || !active_carried_.empty())) {
      held_barriers_.push_back(task);
      continue;
    }
    if (!barrier && !doomed_by_[task]) {
      add_ready(task);
      continue;
    }
    if (!barrier) left_out_.push_back({task, *doomed_by_[task]});
    for (const TaskId follower : mark_ended(task, doomed_by_[task])) free.push_back(follower);
  }
  if (left_ == 0) signal_end();
  go_on_when_quiet();
  changed_.notify_all();
}

std::vector<TaskId> Scheduler::mark_ended(TaskId task, std::optional<TaskId> root_cause) {
  std::vector<TaskId> free;
  ended_[task] = true;
  active_carried_.erase(task);
  --left_;
  if (begun_[task] && travels_together(graph_[task])) --small_running_;
  if (!graph_[task].is_barrier()) --left_in_lane_[index_of(lane_of(task))];
  if (graph_[task].traits().needs_snapshot) --left_in_snapshot_;
  for (const TaskGraph::Edge& edge : graph_.followers(task)) {
    if (ended_[edge.to]) continue;
    if (root_cause && edge.required && !doomed_by_[edge.to]) {
      doomed_by_[edge.to] = root_cause;
      // It could have been sent after this one.
      if (take_from_ready(edge.to)) free.push_back(edge.to);
      // Or it was, and has failed for that.
      if (take_from_postponed(edge.to)) free.push_back(edge.to);
    }
    if (edge.in_order && begun_[task]) continue;
    if (is_released(task, edge)) continue;
    if (--waits_[edge.to] > 0) continue;
    freed_by_[edge.to] = graph_[task].is_barrier() ? freed_by_[task] : task;
    free.push_back(edge.to);
  }
  return free;
}

void Scheduler::succeeded(TaskId task) {
  const MutexLock lock(mutex_);
  release_claims(graph_[task]);
  --running_;
  ++succeeded_since_;
  if (is_in_order(graph_[task])) {
    --definitions_running_;
    ++definitions_since_;
  }
  succeeded_[task] = true;
  if (doomed_by_[task]) made_without_.push_back({task, *doomed_by_[task]});
  release(mark_ended(task, std::nullopt));
}

FailureOutcome Scheduler::failed(TaskId task, const Error& error) {
  const MutexLock lock(mutex_);
  release_claims(graph_[task]);
  --running_;
  if (is_in_order(graph_[task])) --definitions_running_;
  if (doomed_by_[task]) {
    left_out_.push_back({task, *doomed_by_[task]});
    release(mark_ended(task, doomed_by_[task]));
    return FailureOutcome::kSkipped;
  }
  const bool may_succeed = may_succeed_later(error) || (is_in_order(graph_[task]) && met_another_definition(error));
  if (may_succeed && !stopped_) {
    keep(task, error);
    postpone(task);
    return FailureOutcome::kPostponed;
  }
  keep(task, error);
  give_up(task);
  return FailureOutcome::kFailed;
}

std::optional<EarlierFailure> Scheduler::earlier_failure(TaskId task) const {
  const MutexLock lock(mutex_);
  const auto found = earlier_failures_.find(task);
  return found == earlier_failures_.end() ? std::nullopt : std::optional(found->second);
}

void Scheduler::stop(const std::optional<Error>& error) {
  const MutexLock lock(mutex_);
  if (!stopped_ && error) fatal_ = error;
  stopped_ = true;
  signal_end();
  changed_.notify_all();
}

void Scheduler::signal_end() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(end_event_.get(), &one, sizeof one);
}

bool Scheduler::stopped() const {
  const MutexLock lock(mutex_);
  return stopped_;
}

bool Scheduler::finished() const {
  const MutexLock lock(mutex_);
  return left_ == 0;
}

bool Scheduler::nothing_failed() const {
  const MutexLock lock(mutex_);
  return failures_.empty() && left_out_.empty();
}

std::vector<TaskFailure> Scheduler::failures() const {
  const MutexLock lock(mutex_);
  return failures_;
}

std::vector<TaskLeftOut> Scheduler::left_out() const {
  const MutexLock lock(mutex_);
  return left_out_;
}

std::vector<TaskLeftOut> Scheduler::made_without() const {
  const MutexLock lock(mutex_);
  return made_without_;
}

std::optional<Error> Scheduler::fatal() const {
  const MutexLock lock(mutex_);
  return fatal_;
}

}  // namespace pgsluice::pipeline
