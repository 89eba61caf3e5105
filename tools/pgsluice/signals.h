#pragma once

#include <functional>

namespace pgsluice::tools {

/// SIGINT and SIGTERM call `cancel`, which has to be async-signal-safe, as long as this lives; a second signal ends the
/// process at once. One at a time.
class SignalsCancel {
 public:
  explicit SignalsCancel(std::function<void()> cancel);
  SignalsCancel(const SignalsCancel&) = delete;
  SignalsCancel& operator=(const SignalsCancel&) = delete;
  ~SignalsCancel();

  /// The exit code of a process that was cancelled: 128 and the signal's number.
  static int exit_code();

 private:
  const std::function<void()> cancel_;
};

}  // namespace pgsluice::tools
