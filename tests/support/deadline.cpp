#include "tests/support/deadline.h"

#include <cstdlib>
#include <iostream>

#include "base/wait.h"

namespace pgsluice::test {

Deadline::Deadline(std::chrono::seconds limit, std::function<void()> cancel)
    : watch_([this, limit, cancel = std::move(cancel)] {
        if (wait_for({}, in_time_.token(), limit) == WaitResult::kCancelled) return;
        is_over_ = true;
        cancel();
        if (wait_for({}, in_time_.token(), limit) == WaitResult::kCancelled) return;
        std::cerr << "what was to end within " << limit.count() << " s has not heard its cancellation either\n";
        std::abort();
      }) {}

Deadline::~Deadline() { in_time_.cancel(); }

}  // namespace pgsluice::test
