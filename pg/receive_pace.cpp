#include "pg/receive_pace.h"

#include <algorithm>
#include <cstdint>

namespace pgsluice::pg {

void ReceivePace::reset() { *this = {}; }

void ReceivePace::received(std::size_t bytes, SteadyClock::time_point now) {
  in_stream_ += bytes;
  if (bytes == 0 || in_stream_ < kLongStream) {
    rest_ = {};
    return;
  }
  // As long as it should have been for kAim; twice as long at most, since the next pieces may come faster.
  const auto fitting = rest_ * static_cast<std::int64_t>(kAim) / static_cast<std::int64_t>(bytes);
  rest_ = std::min(std::min(fitting, 2 * rest_), kLongestRest);
  if (bytes < kAim) rest_ = std::max(rest_, kShortestRest);
  if (rest_ < kShortestRest) rest_ = {};
  until_ = now + rest_;
}

std::chrono::microseconds ReceivePace::rest_left(SteadyClock::time_point now) const {
  if (!rests() || now >= until_) return {};
  return std::chrono::ceil<std::chrono::microseconds>(until_ - now);
}

}  // namespace pgsluice::pg
