#include "pipeline/run/simulation.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <optional>
#include <stdexcept>

#include "index/build_budget.h"
#include "pipeline/run/scheduler.h"

namespace pgsluice::pipeline {

namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

class SimulatedRun {
 public:
  SimulatedRun(const Plan& plan, const std::vector<double>& costs, const SimulatedJobs& jobs)
      : plan_(plan),
        costs_(costs),
        jobs_(jobs),
        scheduler_(plan.graph, FailurePolicy::kGoOn),
        budget_(plan.index_memory, jobs.index_jobs, plan.max_parallel_workers) {
    workers_.emplace_back(Lane::kMain);
    for (int i = 0; i < jobs.table_jobs; ++i) workers_.emplace_back(Lane::kCopy);
    for (int i = 0; i < jobs.index_jobs; ++i) workers_.emplace_back(Lane::kBuild);
  }

  SimulatedTime carry_out() {
    SimulatedTime outcome;
    while (!scheduler_.finished()) {
      hand_out();
      double demand = 0;
      double next = kUnlimited;
      for (const Worker& worker : workers_) {
        if (!worker.is_at_work()) continue;
        demand += worker.cores;
        next = std::min(next, worker.left / worker.speed);
      }
      if (demand == 0) throw std::logic_error("nothing is at work, and tasks are left");
      const double share = std::min(1.0, jobs_.cores / demand);
      outcome.makespan += next / share;
      if (demand < jobs_.cores) outcome.not_all_busy += next / share;
      for (Worker& worker : workers_) {
        if (worker.is_at_work()) advance(worker, next);
      }
    }
    return outcome;
  }

 private:
  struct Worker {
    explicit Worker(Lane of) : lane(of) {}
    bool is_at_work() const { return !tasks.empty(); }

    Lane lane;
    /// On their way, one after another; rows of small tables are one piece of work.
    std::deque<TaskId> tasks;
    std::size_t together = 1;  ///< how many of the first ones are
    double left = 0;           ///< of those
    double in_flight = 0;      ///< estimated cost of all
    double cores = 1;
    double speed = 1;
    std::optional<index::BuildBudget::Share> share;
  };

  // Until no worker can take a task: a definition that begins lets the next one begin.
  void hand_out() {
    for (bool any = true; any;) {
      any = false;
      for (Worker& worker : workers_) any = take(worker) || any;
    }
  }

  bool take(Worker& worker) {
    if (!worker.is_at_work()) {
      const std::optional<TaskId> task = scheduler_.next_ready(worker.lane, kUnlimited);
      if (!task) return false;
      begin(worker, *task);
      return true;
    }
    // Statements are sent before earlier ones are answered, as far as StatementQueue::room() allows; rows are not.
    const bool is_sent = worker.lane != Lane::kCopy && worker.in_flight < kMaxCostTogether;
    if (!is_sent) return false;
    const auto task = scheduler_.next_ready(worker.lane, kMaxCostTogether - worker.in_flight);
    if (!task) return false;
    worker.tasks.push_back(*task);
    worker.in_flight += plan_.graph[*task].cost;
    return true;
  }

  void begin(Worker& worker, TaskId id) {
    const Task& first = plan_.graph[id];
    worker.tasks.push_back(id);
    worker.in_flight = first.cost;
    worker.together = 1;
    if (first.traits().batching != Batching::kAlone) {
      double room = static_cast<double>(kSmallTable.count) - first.cost;
      while (room > 0 && worker.tasks.size() < kMaxTablesTogether) {
        const auto next = scheduler_.next_to_join(worker.lane, room, first.kind);
        if (!next) break;
        worker.tasks.push_back(*next);
        room -= plan_.graph[*next].cost;
      }
      worker.together = worker.tasks.size();
    }
    start_first(worker);
  }

  void start_first(Worker& worker) {
    const Task& task = plan_.graph[worker.tasks.front()];
    worker.left = 0;
    for (std::size_t i = 0; i < worker.together; ++i) worker.left += costs_[worker.tasks[i]];
    worker.cores = worker.speed = 1;
    if (task.traits().sorts && task.cost >= kMaxCostTogether) {
      worker.share.emplace(budget_.take(scheduler_.count_ready(Lane::kBuild, kMaxCostTogether, jobs_.index_jobs)));
      // Only a build is parallel: a validation and a key are not.
      const bool is_parallel = task.kind == TaskKind::kIndexBuild;
      const double workers = is_parallel ? worker.share->parallel_workers() : 0;
      worker.cores = 1 + workers;
      worker.speed = 1 + jobs_.gain_of_worker * workers;
    }
  }

  void advance(Worker& worker, double time) {
    worker.left -= time * worker.speed;
    if (worker.left > 1e-6 * time) return;
    worker.share.reset();
    for (std::size_t i = 0; i < worker.together; ++i) {
      const TaskId ended = worker.tasks.front();
      worker.tasks.pop_front();
      worker.in_flight -= plan_.graph[ended].cost;
      scheduler_.succeeded(ended);
    }
    worker.together = 1;
    if (worker.is_at_work()) start_first(worker);
  }

  const Plan& plan_;
  const std::vector<double>& costs_;
  const SimulatedJobs& jobs_;
  Scheduler scheduler_;
  index::BuildBudget budget_;
  std::vector<Worker> workers_;
};

}  // namespace

SimulatedTime simulate(const Plan& plan, const std::vector<double>& costs, const SimulatedJobs& jobs) {
  return SimulatedRun(plan, costs, jobs).carry_out();
}

}  // namespace pgsluice::pipeline
