#include "base/wait.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "pgsluice/error.h"

namespace pgsluice {

namespace {
constexpr std::size_t kMostDescriptors = 8;

timespec time_left(std::chrono::steady_clock::time_point end) {
  const std::chrono::nanoseconds left = std::max(end - std::chrono::steady_clock::now(), std::chrono::nanoseconds(0));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  return {.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count()};
}
}  // namespace

WaitResult wait_for(std::span<WaitFor> set, const CancelToken& cancel, std::optional<std::chrono::microseconds> limit) {
  if (set.size() > kMostDescriptors) throw Error(ErrorKind::kInternal, "too many descriptors to wait for");
  std::array<pollfd, kMostDescriptors + 1> polled{};
  for (std::size_t i = 0; i < set.size(); ++i) {
    polled[i].fd = set[i].fd;
    polled[i].events = static_cast<short>((set[i].want_read ? POLLIN : 0) | (set[i].want_write ? POLLOUT : 0));
  }
  polled[set.size()] = {cancel.fd(), POLLIN, 0};

  std::optional<std::chrono::steady_clock::time_point> end;
  if (limit) end = std::chrono::steady_clock::now() + *limit;
  int ready = 0;
  do {
    const timespec left = end ? time_left(*end) : timespec{};
    ready = ::ppoll(polled.data(), set.size() + 1, end ? &left : nullptr, nullptr);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) throw system_error("cannot wait for a descriptor", errno);

  for (std::size_t i = 0; i < set.size(); ++i) {
    const bool broken = (polled[i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    set[i].readable = set[i].want_read && (broken || (polled[i].revents & POLLIN) != 0);
    set[i].writable = set[i].want_write && (broken || (polled[i].revents & POLLOUT) != 0);
  }
  if (polled[set.size()].revents != 0) return WaitResult::kCancelled;
  return ready == 0 ? WaitResult::kTimeout : WaitResult::kReady;
}

void pause(const CancelToken& cancel, std::chrono::milliseconds time) {
  if (wait_for({}, cancel, time) == WaitResult::kCancelled) cancel.throw_if_cancelled();
}

}  // namespace pgsluice
