#pragma once

#include <csignal>
#include <functional>
#include <map>

namespace pgsluice::tools {

/// SIGINT, SIGTERM and SIGHUP call `cancel`, which has to be async-signal-safe, as long as this object lives; a second
/// signal ends the process at once. A signal that the process was started to ignore stays ignored: by nohup, or by a
/// shell that runs it in the background. One object at a time.
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
  /// The actions of the signals before this object.
  std::map<int, struct sigaction> before_;
};

}  // namespace pgsluice::tools
