#pragma once

#include <atomic>
#include <cstdint>

#include "base/throttle.h"

namespace pgsluice::copy {

/// Counts the bytes of a stream as they pass, for progress, and holds them to a throttle. A value; counter and throttle
/// outlive it.
class Flow {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a counter alone is a flow that nothing holds back
  Flow(std::atomic<std::int64_t>& bytes, Throttle* throttle = nullptr) : bytes_(&bytes), throttle_(throttle) {}

  /// Returns when more may pass. Throws Error(kCancelled).
  void passed(std::size_t bytes, const CancelToken& cancel) const {
    const auto count = static_cast<std::int64_t>(bytes);
    bytes_->fetch_add(count, std::memory_order_relaxed);
    if (throttle_ != nullptr) throttle_->passed(count, cancel);
  }

  Bytes count() const { return {bytes_->load(std::memory_order_relaxed)}; }

 private:
  std::atomic<std::int64_t>* bytes_;
  Throttle* throttle_;
};

}  // namespace pgsluice::copy
