#include "pgsluice/pg/receive_pace.h"

#include <algorithm>

namespace pgsluice::pg {

void ReceivePace::reset() { *this = {}; }

void ReceivePace::received(std::size_t bytes, SteadyClock::time_point now) {
  in_stream_ += bytes;
  if (bytes == 0 || in_stream_ < kLongStream) {
    rest_ = {};
    return;
  }
  if (bytes < kAim / 2) {
    rest_ = std::clamp(2 * rest_, kShortestRest, kLongestRest);
  } else if (bytes > 2 * kAim) {
    rest_ /= 2;
    if (rest_ < kShortestRest) rest_ = {};
  }
  until_ = now + rest_;
}

std::chrono::microseconds ReceivePace::rest_left(SteadyClock::time_point now) const {
  if (!rests() || now >= until_) return {};
  return std::chrono::ceil<std::chrono::microseconds>(until_ - now);
}

}  // namespace pgsluice::pg
