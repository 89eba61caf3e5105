#include "base/cancel.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/error.h"

namespace pgsluice {

bool CancelToken::cancelled() const { return state_ != nullptr && state_->is_cancelled(); }

int CancelToken::fd() const { return state_ == nullptr ? -1 : state_->fd(); }

void CancelToken::throw_if_cancelled() const {
  if (cancelled()) throw Error(ErrorKind::kCancelled, "cancelled");
}

CancelSource::CancelSource() : state_(std::make_shared<CancelToken::State>()) {
  state_->event = FileDescriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state_->event.valid()) throw system_error("cannot make an event descriptor", errno);
}

CancelSource::CancelSource(const CancelToken& parent) : CancelSource() {
  if (parent.state_ == nullptr) return;
  state_->parent = parent.state_;
  state_->either = FileDescriptor(::epoll_create1(EPOLL_CLOEXEC));
  for (const int fd : {state_->event.get(), parent.fd()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(state_->either.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      throw system_error("cannot make an event descriptor", errno);
    }
  }
}

void CancelSource::cancel() noexcept {
  const int saved_errno = errno;  // may run in a signal handler
  state_->cancelled.store(true, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  // The event stays readable since nobody reads it; a full counter is as good as a written one.
  [[maybe_unused]] const ssize_t written = ::write(state_->event.get(), &one, sizeof one);
  errno = saved_errno;
}

}  // namespace pgsluice
