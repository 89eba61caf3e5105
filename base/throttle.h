#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/duration.h"
#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "pgsluice/bytes.h"
#include "pgsluice/cancel.h"

namespace pgsluice {

/// Holds streams of bytes to a rate that they have in common, or stops them all. Both can be changed while threads
/// wait, which then wait as long as the new rate asks for. Any thread.
///
/// Source: the leaky bucket as a meter (ITU-T I.371); an idle throttle saves up no more than a tenth of a second.
class Throttle {
 public:
  Throttle();

  /// `per_second`: 0 for no limit.
  void set(Bytes per_second, bool stopped);

  /// To be called with the bytes that have just passed: returns when the next ones may. Throws Error(kCancelled).
  void passed(std::int64_t bytes, const CancelToken& cancel);

 private:
  void drain() REQUIRES(mutex_);
  void wait_for_turn(std::int64_t bytes, const CancelToken& cancel);

  /// True if passed() has nothing to hold back.
  std::atomic<bool> is_open_{true};
  Mutex mutex_;
  std::int64_t per_second_ GUARDED_BY(mutex_) = 0;
  bool stopped_ GUARDED_BY(mutex_) = false;
  /// Bytes that have passed before their time; below 0 what was saved up.
  double ahead_ GUARDED_BY(mutex_) = 0;
  /// Bytes that time has made room for, since the beginning: what a waiting thread counts by.
  double drained_ GUARDED_BY(mutex_) = 0;
  SteadyClock::time_point drained_at_ GUARDED_BY(mutex_);
  /// Readable, for those that wait, once the rate is another one. Each change puts a new one in its place.
  std::shared_ptr<FileDescriptor> change_ GUARDED_BY(mutex_);
};

}  // namespace pgsluice
