#include "index/build_budget.h"

#include <algorithm>

namespace pgsluice::index {

BuildBudget::Share BuildBudget::take(int others_ready) {
  const MutexLock lock(mutex_);
  // Evenly: one build with all of them would leave another one alone at the end.
  const int places = std::max(free_, 1) / (1 + others_ready);
  const int workers = std::clamp(places - 1, 0, most_workers_);
  free_ -= 1 + workers;
  return {this, {.memory = {share_.count * (1 + workers)}, .parallel_workers = workers}};
}

void BuildBudget::give_back(int parallel_workers) {
  const MutexLock lock(mutex_);
  free_ += 1 + parallel_workers;
}

}  // namespace pgsluice::index
