#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "base/duration.h"

namespace pgsluice::pg {

/// When to receive the rows of a COPY. A server sends them 8 kB at a time; to be woken for each such piece costs more
/// than to carry it. So a long stream is left alone for a moment after each receive, in which its bytes gather in the
/// socket's buffer, and the moment is lengthened or shortened until about kAim bytes come at once: what network
/// interfaces do with their interrupts.
///
/// kAim is well below what a socket holds (208 kB on a Unix socket), so that the server is not held up. A stream of a
/// small table is received as it comes. One thread.
class ReceivePace {
 public:
  static constexpr std::size_t kAim = 64 * 1024;
  static constexpr std::size_t kLongStream = 256 * 1024;
  static constexpr std::chrono::microseconds kShortestRest{50};
  static constexpr std::chrono::microseconds kLongestRest{1000};

  /// A COPY … TO STDOUT begins, or the rows end: nothing rests.
  void reset();
  /// So many bytes of it have come at once; 0: there were none, and the next have to be waited for.
  void received(std::size_t bytes, SteadyClock::time_point now);

  /// How long nothing should be received yet; 0 where it should as soon as something is there.
  std::chrono::microseconds rest_left(SteadyClock::time_point now) const;
  bool rests() const { return rest_.count() > 0; }

 private:
  std::size_t in_stream_ = 0;
  std::chrono::microseconds rest_{0};
  SteadyClock::time_point until_;
};

}  // namespace pgsluice::pg
