#include "index/build_budget.h"

#include <algorithm>

namespace pgsluice::index {

BuildBudget::Share BuildBudget::take(int others_ready) {
  const MutexLock lock(mutex_);
  --free_;
  const int workers = std::clamp(free_ - others_ready, 0, most_workers_);
  free_ -= workers;
  return {this, {.memory = {share_.count * (1 + workers)}, .parallel_workers = workers}};
}

void BuildBudget::give_back(int parallel_workers) {
  const MutexLock lock(mutex_);
  free_ += 1 + parallel_workers;
}

}  // namespace pgsluice::index
