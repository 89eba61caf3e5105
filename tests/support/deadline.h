#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "pgsluice/cancel.h"

namespace pgsluice::test {

/// Makes of a hang a failed test. When the time is up before the object goes, `cancel` is called; when it is up a
/// second time, the program ends with a message.
class Deadline {
 public:
  Deadline(std::chrono::seconds limit, std::function<void()> cancel);
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline();

  bool is_over() const { return is_over_; }

 private:
  std::atomic<bool> is_over_{false};
  CancelSource in_time_;
  std::jthread watch_;
};

}  // namespace pgsluice::test
