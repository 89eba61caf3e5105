#pragma once

#include <memory>

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
  struct State;
  explicit CancelToken(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

/// Asks all holders of its tokens to stop. cancel() is async-signal-safe and may be called any number of times.
class CancelSource {
 public:
  CancelSource();
  /// One that is also cancelled when `parent` is, but can be cancelled alone.
  explicit CancelSource(const CancelToken& parent);

  void cancel() noexcept;
  bool cancelled() const;
  CancelToken token() const;

 private:
  std::shared_ptr<CancelToken::State> state_;
};

}  // namespace pgsluice
