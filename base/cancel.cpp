#include "pgsluice/cancel.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/file_descriptor.h"
#include "pgsluice/error.h"

namespace pgsluice {

struct CancelToken::State {
  std::atomic<bool> cancelled{false};
  FileDescriptor event;
  /// Only for a source that follows another one: that one, and a descriptor that is readable with either event.
  std::shared_ptr<const State> parent;
  FileDescriptor either;

  bool is_cancelled() const {
    return cancelled.load(std::memory_order_relaxed) || (parent != nullptr && parent->is_cancelled());
  }
  int fd() const { return either.valid() ? either.get() : event.get(); }
};

CancelToken::CancelToken(std::shared_ptr<State> state) : state_(std::move(state)) {}

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

bool CancelSource::cancelled() const { return state_->is_cancelled(); }

CancelToken CancelSource::token() const { return CancelToken(state_); }

void CancelSource::cancel() noexcept {
  const int saved_errno = errno;  // may run in a signal handler
  state_->cancelled.store(true, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  // The event stays readable because it is never read; a full counter is as good as a written one.
  [[maybe_unused]] const ssize_t written = ::write(state_->event.get(), &one, sizeof one);
  errno = saved_errno;
}

}  // namespace pgsluice
