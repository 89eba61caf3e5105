#include "pgsluice/base/cancel.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "pgsluice/base/error.h"

namespace pgsluice {

bool CancelToken::cancelled() const { return state_ != nullptr && state_->cancelled.load(std::memory_order_relaxed); }

int CancelToken::fd() const { return state_ == nullptr ? -1 : state_->event.get(); }

void CancelToken::throw_if_cancelled() const {
  if (cancelled()) throw Error(ErrorKind::kCancelled, "cancelled");
}

CancelSource::CancelSource() : state_(std::make_shared<CancelToken::State>()) {
  state_->event = FileDescriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state_->event.valid()) throw system_error("cannot make an event descriptor", errno);
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
