#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_descriptor.h"
#include "pgsluice/cancel.h"

namespace pgsluice {

struct SubprocessOptions {
  /// The program (looked up in PATH when it has no slash) and its arguments. Never a secret: other users can read them.
  std::vector<std::string> command;
  /// Set in addition to this process's environment.
  std::vector<std::pair<std::string, std::string>> environment;
  /// The file that is its standard input.
  std::filesystem::path input = "/dev/null";
};

struct SubprocessResult {
  /// 0-255, or 128 + the number of the signal that ended it.
  int exit_code = 0;
  std::string output;
  std::string errors;
  /// True if the child was terminated because `enough` returned true.
  bool was_enough = false;
};

/// A child process with its standard output and error collected. The destructor terminates it (SIGTERM, then SIGKILL
/// after two seconds) and reaps it. The kernel terminates it, too, when the thread that made it ends
/// (PR_SET_PDEATHSIG), so that thread has to live as long as the object. One thread.
class Subprocess {
 public:
  /// Throws Error(kConfig) when the program cannot be started, Error(kSystem) when there is no pipe or process for it.
  explicit Subprocess(SubprocessOptions options);
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;
  ~Subprocess();

  pid_t pid() const { return pid_; }

  /// Collects the output until the end. `enough` is called at 64 kB and each time the output has doubled; when it
  /// returns true, the child is terminated. Throws Error(kCancelled), with the child terminated, on cancellation.
  SubprocessResult wait(const CancelToken& cancel, const std::function<bool(std::string_view output)>& enough = {});

 private:
  void terminate() noexcept;

  pid_t pid_ = -1;
  FileDescriptor output_;
  FileDescriptor errors_;
};

/// A process that outlives this one: in a session of its own, with nothing of this one's but the environment.
struct DetachedOptions {
  SubprocessOptions process;  ///< whose `input` is not used: it reads the one below
  std::string input;          ///< its standard input
  std::filesystem::path log;  ///< gets its standard output and error, at the end of what is there; made with mode 0600
  CancelToken cancel = {};    ///< ends the wait for the process to read its input
};

/// Starts it. The returned descriptor becomes readable when the process writes to its descriptor 3, closes it, or
/// exits. Throws Error(kConfig) when the program cannot be started or the log cannot be written, Error(kSystem) when
/// there is no pipe or process for it, or if it has not read its input within a minute, Error(kCancelled).
FileDescriptor start_detached(const DetachedOptions& options);
/// The number of that descriptor in the started process.
inline constexpr int kReadyDescriptor = 3;

/// Runs a command to its end, or until its output is enough.
SubprocessResult run_command(SubprocessOptions options, const CancelToken& cancel = {},
                             const std::function<bool(std::string_view output)>& enough = {});

}  // namespace pgsluice
