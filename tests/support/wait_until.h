#pragma once

#include <chrono>
#include <functional>

#include "base/wait.h"

namespace pgsluice::test {

/// Until the condition holds; false after a minute.
inline bool wait_until(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    wait_for({}, {}, std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace pgsluice::test
