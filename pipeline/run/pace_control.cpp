#include "pipeline/run/pace_control.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "pgsluice/error.h"

namespace pgsluice::pipeline {

int copying_at_once(const Pace& pace, int jobs, int runs) {
  if (pace.max_source_sessions == 0) return jobs;
  // Each run keeps a session for its snapshot. While some of several copy, the next one's definitions are read by two.
  const int besides = runs > 1 ? 2 : 1;
  return std::clamp(pace.max_source_sessions - runs - besides, 1, jobs);
}

PaceControl::PaceControl(const Pace& pace) { set(pace); }

void PaceControl::set(const Pace& pace) {
  check_pace(pace);
  const MutexLock lock(mutex_);
  if (pace.max_source_sessions > 0 && pace.max_source_sessions < fewest_sessions_) {
    throw Error(ErrorKind::kUsage, fmt::format("{} sessions of the source are too few: {}, which takes {}",
                                               pace.max_source_sessions, why_fewest_, fewest_sessions_));
  }
  throttle_.set(pace.max_rate, pace.paused);
  if (pace.paused && !pace_.paused) paused_at_ = SteadyClock::now();
  pace_ = pace;
  for (const Follow& follow : followers_) follow(pace_);
}

void PaceControl::require_source_sessions(int least, std::string why) {
  const MutexLock lock(mutex_);
  fewest_sessions_ = least;
  why_fewest_ = std::move(why);
}

Pace PaceControl::pace() const {
  const MutexLock lock(mutex_);
  return pace_;
}

std::optional<std::chrono::nanoseconds> PaceControl::paused_for() const {
  const MutexLock lock(mutex_);
  if (!pace_.paused) return std::nullopt;
  return SteadyClock::now() - paused_at_;
}

PaceControl::Follower::Follower(PaceControl& control, Follow follow) : control_(control) {
  const MutexLock lock(control_.mutex_);
  follow_ = control_.followers_.insert(control_.followers_.end(), std::move(follow));
  (*follow_)(control_.pace_);
}

PaceControl::Follower::~Follower() {
  const MutexLock lock(control_.mutex_);
  control_.followers_.erase(follow_);
}

}  // namespace pgsluice::pipeline
