#include "base/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <span>

#include "base/wait.h"
#include "pgsluice/error.h"

namespace pgsluice {

namespace {

struct Pipe {
  FileDescriptor read;
  FileDescriptor write;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error("cannot make a pipe", errno);
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

std::vector<std::string> merged_environment(const std::vector<std::pair<std::string, std::string>>& additions) {
  std::map<std::string, std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) merged.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  for (const auto& [name, value] : additions) merged[name] = value;
  std::vector<std::string> result;
  for (const auto& [name, value] : merged) result.push_back(fmt::format("{}={}", name, value));
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// Runs in the child between fork and exec: async-signal-safe calls only.
[[noreturn]] void exec_child(char* const* argv, char* const* envp, const char* input, int output, int errors,
                             int report, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);
  // A Ctrl-C on the terminal is for the parent, which then ends its children in order.
  ::setpgid(0, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int opened = ::open(input, O_RDONLY);
  if (opened >= 0 && ::dup2(opened, 0) == 0 && ::dup2(output, 1) == 1 && ::dup2(errors, 2) == 2) {
    ::execvpe(argv[0], argv, envp);
  }
  const int error_number = errno;
  [[maybe_unused]] const ssize_t written = ::write(report, &error_number, sizeof error_number);
  ::_exit(127);
}

// Appends what there is; false at the end of the stream.
bool read_some(int fd, std::string& into) {
  char buffer[16384];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  if (got > 0) into.append(buffer, static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

int wait_status(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw system_error("cannot wait for a child process", errno);
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

namespace {

// Starts a process that outlives this one: the child's child, so that no one has to wait for it.
[[noreturn]] void exec_detached(char* const* argv, char* const* envp, int input, int log, int ready, int report) {
  ::setsid();
  const pid_t own = ::fork();
  if (own != 0) ::_exit(own < 0 ? 1 : 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Out of the way of the descriptors that they become.
  report = ::fcntl(report, F_DUPFD_CLOEXEC, 10);
  ready = ::fcntl(ready, F_DUPFD_CLOEXEC, 10);
  if (::dup2(input, 0) == 0 && ::dup2(log, 1) == 1 && ::dup2(log, 2) == 2 &&
      ::dup2(ready, kReadyDescriptor) == kReadyDescriptor) {
    ::execvpe(argv[0], argv, envp);
  }
  const int error_number = errno;
  [[maybe_unused]] const ssize_t written = ::write(report, &error_number, sizeof error_number);
  ::_exit(127);
}

// Returns the errno of a failed exec in the child; 0 if it was started.
int read_report(int fd) {
  int error_number = 0;
  ssize_t got = 0;
  do {
    got = ::read(fd, &error_number, sizeof error_number);
  } while (got < 0 && errno == EINTR);
  return got > 0 ? error_number : 0;
}

}  // namespace

namespace {

// A process that has closed its input has ended, or will say so by the ready descriptor.
void send_input(int socket, const DetachedOptions& options) {
  constexpr std::chrono::seconds kLimit{60};
  for (std::size_t at = 0; at < options.input.size();) {
    const ssize_t sent =
        ::send(socket, options.input.data() + at, options.input.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) at += static_cast<std::size_t>(sent);
    if (sent >= 0 || errno == EINTR) continue;
    if (errno != EAGAIN) return;
    std::array<WaitFor, 1> set{WaitFor{.fd = socket, .want_write = true}};
    const WaitResult result = wait_for(set, options.cancel, kLimit);
    if (result == WaitResult::kCancelled) options.cancel.throw_if_cancelled();
    if (result == WaitResult::kTimeout) {
      throw Error(ErrorKind::kSystem, fmt::format("{} does not read its input", options.process.command.front()));
    }
  }
}

}  // namespace

FileDescriptor start_detached(const DetachedOptions& options) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw system_error("cannot make a socket", errno);
  const FileDescriptor writer(ends[0]);
  FileDescriptor reader(ends[1]);
  const FileDescriptor log(::open(options.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log.valid()) {
    throw Error(ErrorKind::kConfig, system_error(fmt::format("cannot write {}", options.log.string()), errno).what());
  }
  Pipe ready = make_pipe();
  Pipe report = make_pipe();
  std::vector<std::string> command = options.process.command;
  std::vector<std::string> environment = merged_environment(options.process.environment);
  const std::vector<char*> argv = pointers(command);
  const std::vector<char*> envp = pointers(environment);
  const pid_t pid = ::fork();
  if (pid < 0) throw system_error("cannot make a child process", errno);
  if (pid == 0) {
    exec_detached(argv.data(), envp.data(), reader.get(), log.get(), ready.write.get(), report.write.get());
  }
  wait_status(pid);
  report.write.reset();
  ready.write.reset();
  reader.reset();
  if (const int error_number = read_report(report.read.get()); error_number != 0) {
    throw Error(ErrorKind::kConfig, system_error(fmt::format("cannot run {}", command.front()), error_number).what());
  }
  send_input(writer.get(), options);
  return std::move(ready.read);
}

Subprocess::Subprocess(SubprocessOptions options) {
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  Pipe report = make_pipe();
  std::vector<std::string> environment = merged_environment(options.environment);
  const std::vector<char*> argv = pointers(options.command);
  const std::vector<char*> envp = pointers(environment);

  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw system_error("cannot make a child process", errno);
  if (pid_ == 0) {
    exec_child(argv.data(), envp.data(), options.input.c_str(), output.write.get(), errors.write.get(),
               report.write.get(), parent);
  }
  output_ = std::move(output.read);
  errors_ = std::move(errors.read);
  report.write.reset();
  if (const int error_number = read_report(report.read.get()); error_number != 0) {
    wait_status(std::exchange(pid_, -1));
    throw Error(ErrorKind::kConfig,
                system_error(fmt::format("cannot run {}", options.command.front()), error_number).what());
  }
}

Subprocess::~Subprocess() { terminate(); }

void Subprocess::terminate() noexcept {
  if (pid_ < 0) return;
  const pid_t pid = std::exchange(pid_, -1);
  ::kill(pid, SIGTERM);
  FileDescriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  try {
    std::array<WaitFor, 1> ended{WaitFor{.fd = handle.get(), .want_read = true}};
    if (!handle.valid() || wait_for(ended, {}, std::chrono::seconds(2)) != WaitResult::kReady) ::kill(pid, SIGKILL);
    wait_status(pid);
  } catch (const Error&) {
    ::kill(pid, SIGKILL);  // a destructor cannot report an error
  }
}

SubprocessResult Subprocess::wait(const CancelToken& cancel,
                                  const std::function<bool(std::string_view output)>& enough) {
  SubprocessResult result;
  // Asked when the output has doubled, since an answer may take as long as there is output.
  std::size_t next_question = 1U << 16U;
  while (output_.valid() || errors_.valid()) {
    if (enough && result.output.size() >= next_question) {
      if (enough(result.output)) {
        terminate();
        result.was_enough = true;
        return result;
      }
      next_question = 2 * result.output.size();
    }
    std::array<WaitFor, 2> set{WaitFor{.fd = output_.get(), .want_read = true},
                               WaitFor{.fd = errors_.get(), .want_read = true}};
    if (wait_for(set, cancel, std::nullopt) == WaitResult::kCancelled) {
      terminate();
      cancel.throw_if_cancelled();
    }
    if (set[0].readable && !read_some(output_.get(), result.output)) output_.reset();
    if (set[1].readable && !read_some(errors_.get(), result.errors)) errors_.reset();
  }
  result.exit_code = wait_status(std::exchange(pid_, -1));
  return result;
}

SubprocessResult run_command(SubprocessOptions options, const CancelToken& cancel,
                             const std::function<bool(std::string_view output)>& enough) {
  return Subprocess(std::move(options)).wait(cancel, enough);
}

}  // namespace pgsluice
