#pragma once

#include <mutex>

#include "pgsluice/base/bytes.h"

namespace pgsluice::index {

/// What one build of an index, or one validation, may use of the target.
struct BuildShare {
  Bytes memory;          ///< maintenance_work_mem
  int parallel_workers;  ///< max_parallel_maintenance_workers
};

/// Divides memory and cores of the target among the builds that run at once. There are as many places as index jobs;
/// each has an even part of the memory. A build takes one place, and those that nobody else wants as parallel workers
/// of PostgreSQL's own. Any thread.
class BuildBudget {
 public:
  /// `most_workers`: what the target's configuration gives one build.
  BuildBudget(Bytes memory, int places, int most_workers)
      : share_{memory.count / places}, most_workers_(most_workers), free_(places) {}

  /// For a build that begins, while so many others could begin too. give_back() follows.
  BuildShare take(int others_ready);
  void give_back(const BuildShare& share);

 private:
  const Bytes share_;
  const int most_workers_;
  std::mutex mutex_;
  int free_;
};

}  // namespace pgsluice::index
