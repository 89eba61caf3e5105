#pragma once

#include <utility>

#include "base/mutex.h"
#include "pgsluice/bytes.h"

namespace pgsluice::index {

/// Divides memory and cores of the target among the builds that run at once. There are as many places as index jobs;
/// each has an even part of the memory. A build takes one place, and its part of those that no other build wants as
/// parallel workers of PostgreSQL's own. Any thread.
class BuildBudget {
 public:
  /// `most_workers`: what the target's configuration gives one build.
  BuildBudget(Bytes memory, int places, int most_workers)
      : share_{memory.count / places}, most_workers_(most_workers), free_(places) {}

  /// The part of the target that one build of an index, or one validation, may use. Given back with its end; the budget
  /// outlives it.
  class Share {
   public:
    Share(Share&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), share_(other.share_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(share_, other.share_);
      return *this;
    }
    ~Share() {
      if (budget_ != nullptr) budget_->give_back(share_.parallel_workers);
    }

    Bytes memory() const { return share_.memory; }                    ///< maintenance_work_mem
    int parallel_workers() const { return share_.parallel_workers; }  ///< max_parallel_maintenance_workers

   private:
    friend class BuildBudget;
    struct Part {
      Bytes memory;
      int parallel_workers = 0;
    };
    Share(BuildBudget* budget, Part share) : budget_(budget), share_(share) {}
    BuildBudget* budget_;
    Part share_;
  };

  /// For a build that begins, while so many others could begin too.
  Share take(int others_ready);

 private:
  void give_back(int parallel_workers);

  const Bytes share_;
  const int most_workers_;
  Mutex mutex_;
  int free_ GUARDED_BY(mutex_);
};

}  // namespace pgsluice::index
