#pragma once

#include <atomic>
#include <memory>

#include "base/file_descriptor.h"

namespace pgsluice {

/// Tells a thread that it should stop. Copies refer to the same source. A default token is never cancelled.
/// Any thread.
class CancelToken {
 public:
  CancelToken() = default;

  bool cancelled() const;

  /// A descriptor that becomes readable with the cancellation and stays so; -1 for a default token.
  int fd() const;

  /// Throws Error(kCancelled) once cancelled.
  void throw_if_cancelled() const;

 private:
  friend class CancelSource;
  struct State {
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
  explicit CancelToken(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

/// Asks all holders of its tokens to stop. cancel() is async-signal-safe and may be called any number of times.
class CancelSource {
 public:
  CancelSource();
  /// One that is also cancelled when `parent` is, but can be cancelled alone.
  explicit CancelSource(const CancelToken& parent);

  void cancel() noexcept;
  bool cancelled() const { return state_->is_cancelled(); }
  CancelToken token() const { return CancelToken(state_); }

 private:
  std::shared_ptr<CancelToken::State> state_;
};

}  // namespace pgsluice
