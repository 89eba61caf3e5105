#include "base/throttle.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/wait.h"
#include "pgsluice/error.h"

namespace pgsluice {

namespace {

constexpr double kSecondsSavedUp = 0.1;

std::shared_ptr<FileDescriptor> make_event() {
  auto event = std::make_shared<FileDescriptor>(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event->valid()) throw system_error("cannot make an event descriptor", errno);
  return event;
}

}  // namespace

Throttle::Throttle() : drained_at_(SteadyClock::now()), change_(make_event()) {}

void Throttle::set(Bytes per_second, bool stopped) {
  std::shared_ptr<FileDescriptor> before = make_event();
  const MutexLock lock(mutex_);
  drain();
  per_second_ = std::max<std::int64_t>(per_second.count, 0);
  stopped_ = stopped;
  // The new rate does not make up for what passed under another one.
  ahead_ = 0;
  is_open_.store(per_second_ == 0 && !stopped_, std::memory_order_relaxed);
  std::swap(before, change_);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(before->get(), &one, sizeof one);
}

void Throttle::passed(std::int64_t bytes, const CancelToken& cancel) {
  if (!is_open_.load(std::memory_order_relaxed)) wait_for_turn(bytes, cancel);
}

// Time that passes while all are stopped makes no room.
void Throttle::drain() {
  const auto now = SteadyClock::now();
  const double seconds = std::chrono::duration<double>(now - drained_at_).count();
  drained_at_ = now;
  if (stopped_) return;
  const auto rate = static_cast<double>(per_second_);
  drained_ += rate * seconds;
  ahead_ = std::max(ahead_ - rate * seconds, -rate * kSecondsSavedUp);
}

void Throttle::wait_for_turn(std::int64_t bytes, const CancelToken& cancel) {
  std::optional<double> until;  // drained_ at this stream's turn
  while (true) {
    std::shared_ptr<FileDescriptor> change;
    std::optional<std::chrono::microseconds> time;
    {
      const MutexLock lock(mutex_);
      drain();
      if (!stopped_ && per_second_ == 0) return;
      if (!until && !stopped_) {
        ahead_ += static_cast<double>(bytes);
        until = drained_ + ahead_;
      }
      if (!stopped_) {
        if (drained_ >= *until) return;
        const double seconds = (*until - drained_) / static_cast<double>(per_second_);
        constexpr double kLongestWait = 3600;
        time = std::chrono::duration_cast<std::chrono::microseconds>(
                   std::chrono::duration<double>(std::min(seconds, kLongestWait))) +
               std::chrono::microseconds(1);
      }
      change = change_;
    }
    std::array<WaitFor, 1> set{WaitFor{.fd = change->get(), .want_read = true}};
    if (wait_for(set, cancel, time) == WaitResult::kCancelled) cancel.throw_if_cancelled();
  }
}

}  // namespace pgsluice
