#include "pipeline/run/job_pool.h"

#include <algorithm>

namespace pgsluice::pipeline {

JobPool::JobPool(int table_jobs, int index_jobs, int runs)
    : target_slots_(table_jobs + index_jobs + runs),
      table_jobs_(table_jobs),
      index_jobs_(index_jobs),
      is_shared_(runs > 1),
      most_copying_(table_jobs) {
  const MutexLock lock(mutex_);
  queue(Lane::kCopy).free = table_jobs;
  queue(Lane::kBuild).free = index_jobs;
}

std::optional<JobPool::Turn> JobPool::take(Lane lane, double cost, const std::function<bool()>& given_up) {
  MutexLock lock(mutex_);
  Queue& of = queue(lane);
  const auto me = of.waiting.insert(cost);
  while (!given_up() && (is_paused_ || of.free <= 0 || *of.waiting.rbegin() > cost)) lock.wait(changed_);
  of.waiting.erase(me);
  // One that costs less may be next.
  changed_.notify_all();
  if (given_up()) return std::nullopt;
  --of.free;
  return Turn(this, lane);
}

void JobPool::limit_copying(int most) {
  const MutexLock lock(mutex_);
  most = std::clamp(most, 1, table_jobs_);
  queue(Lane::kCopy).free += most - most_copying_;
  most_copying_ = most;
  is_limited_ = most < table_jobs_;
  changed_.notify_all();
}

void JobPool::set_paused(bool paused) {
  const MutexLock lock(mutex_);
  is_paused_ = paused;
  changed_.notify_all();
}

void JobPool::wake() {
  const MutexLock lock(mutex_);
  changed_.notify_all();
}

index::BuildBudget& JobPool::builds(Bytes memory, int most_workers) {
  const MutexLock lock(mutex_);
  if (!builds_) builds_.emplace(memory, index_jobs_, most_workers);
  return *builds_;
}

bool JobPool::is_wanted(Lane lane, double cost) const {
  constexpr double kMuchMore = 2;
  const MutexLock lock(mutex_);
  const Queue& of = queues_.at(static_cast<std::size_t>(lane));
  return of.free < 0 || (of.free == 0 && !of.waiting.empty() && *of.waiting.rbegin() > kMuchMore * cost);
}

void JobPool::give_back(Lane lane) {
  const MutexLock lock(mutex_);
  ++queue(lane).free;
  changed_.notify_all();
}

}  // namespace pgsluice::pipeline
