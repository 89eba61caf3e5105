#pragma once

#include <functional>
#include <list>
#include <optional>
#include <string>

#include "base/duration.h"
#include "base/mutex.h"
#include "base/throttle.h"
#include "pgsluice/pace.h"

namespace pgsluice::pipeline {

/// The pace of a run, or of all runs that share their jobs. Any thread.
class PaceControl {
 public:
  using Follow = std::function<void(const Pace&)>;

  /// Throws Error(kUsage) for a pace that cannot be meant, as set() does.
  explicit PaceControl(const Pace& pace);
  PaceControl(const PaceControl&) = delete;
  PaceControl& operator=(const PaceControl&) = delete;

  void set(const Pace& pace);
  Pace pace() const;
  /// How long it has been paused; nullopt if it is not.
  std::optional<std::chrono::nanoseconds> paused_for() const;

  /// Refuses fewer sessions from now on, for a reason that a person understands.
  void require_source_sessions(int least, std::string why);
  /// Throws Error(kCancelled).
  void wait_while_paused(const CancelToken& cancel) { throttle_.passed(0, cancel); }

  /// That rows are held to.
  Throttle& throttle() { return throttle_; }

  /// Calls a function with the pace, now and with each change, as long as it lives. The function must not come back
  /// here.
  class Follower {
   public:
    Follower(PaceControl& control, Follow follow);
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;
    ~Follower();

   private:
    PaceControl& control_;
    std::list<Follow>::iterator follow_;
  };

 private:
  Throttle throttle_;
  mutable Mutex mutex_;
  Pace pace_ GUARDED_BY(mutex_);
  SteadyClock::time_point paused_at_ GUARDED_BY(mutex_);
  std::list<Follow> followers_ GUARDED_BY(mutex_);
  int fewest_sessions_ GUARDED_BY(mutex_) = 0;
  std::string why_fewest_ GUARDED_BY(mutex_);
};

/// How many may copy at once with this pace, of `jobs`, where `runs` at most are at work.
int copying_at_once(const Pace& pace, int jobs, int runs);

}  // namespace pgsluice::pipeline
