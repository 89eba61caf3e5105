#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "index/build_budget.h"
#include "pipeline/plan/task_graph.h"
#include "pipeline/run/session_slots.h"

namespace pgsluice::pipeline {

/// Turns for the workers of several runs at once: all together they copy and build no more at a time than one run of
/// these jobs would. A worker with a turn has sessions; one that waits has none. Definitions (Lane::kMain) take no
/// turns. Any thread.
class JobPool {
 public:
  /// `runs`: as many as are at work at most, each with a session of its own on the target for its definitions.
  JobPool(int table_jobs, int index_jobs, int runs = 1);
  JobPool(const JobPool&) = delete;
  JobPool& operator=(const JobPool&) = delete;

  /// True if other runs share the jobs.
  bool is_shared() const { return is_shared_; }
  /// True if others may want a turn: an idle worker gives its own back then, and closes its sessions. May change to
  /// true with limit_copying() at any time.
  bool takes_idle_turns() const { return is_shared_ || is_limited_; }

  /// How many of Lane::kCopy may have turns from now on: at least one, at most the jobs. Those above it give theirs
  /// back when their task ends. The caller has the idle workers look again (Scheduler::set_paused()).
  void limit_copying(int most);

  /// Given back with its end. The pool outlives it.
  class Turn {
   public:
    Turn(Turn&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), lane_(other.lane_) {}
    Turn& operator=(Turn&& other) noexcept {
      std::swap(pool_, other.pool_);
      std::swap(lane_, other.lane_);
      return *this;
    }
    ~Turn() {
      if (pool_ != nullptr) pool_->give_back(lane_);
    }

   private:
    friend class JobPool;
    Turn(JobPool* pool, Lane lane) : pool_(pool), lane_(lane) {}
    JobPool* pool_;
    Lane lane_;
  };

  /// Waits for a turn. Of those that wait, whose task costs most gets the next one, of whichever run it is. Returns
  /// nullopt when `given_up` says so, which is asked again after wake().
  std::optional<Turn> take(Lane lane, double cost, const std::function<bool()>& given_up);
  void wake();
  /// While it is paused no turn is given; those that were given stay.
  void set_paused(bool paused);

  /// True if there are fewer turns than are taken, or one waits whose task costs so much more that a turn should go to
  /// it: sessions are not opened again for less.
  bool is_wanted(Lane lane, double cost) const;

  /// Slots for the target's sessions, for all runs together.
  SessionSlots& target_slots() { return target_slots_; }
  /// Shares of the target's memory and cores, as the run asks that comes first, because all build on one server.
  index::BuildBudget& builds(Bytes memory, int most_workers);

 private:
  struct Queue {
    int free = 0;                   ///< below 0: as many have to be given back
    std::multiset<double> waiting;  ///< by cost
  };
  Queue& queue(Lane lane) REQUIRES(mutex_) { return queues_.at(static_cast<std::size_t>(lane)); }
  void give_back(Lane lane);

  mutable Mutex mutex_;
  std::condition_variable changed_;
  std::array<Queue, kLanes> queues_ GUARDED_BY(mutex_);
  SessionSlots target_slots_;
  const int table_jobs_;
  const int index_jobs_;
  const bool is_shared_;
  std::atomic<bool> is_limited_{false};
  int most_copying_ GUARDED_BY(mutex_);
  bool is_paused_ GUARDED_BY(mutex_) = false;
  std::optional<index::BuildBudget> builds_ GUARDED_BY(mutex_);
};

}  // namespace pgsluice::pipeline
