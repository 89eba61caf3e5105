#include "base/file_descriptor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "pgsluice/error.h"

namespace pgsluice {

void FileDescriptor::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void write_whole(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw system_error("cannot write " + path.string(), errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string read_file(const std::filesystem::path& path) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) {
    throw Error(ErrorKind::kConfig, system_error(fmt::format("cannot open {}", path.string()), errno).what());
  }
  std::string content;
  struct stat info {};
  if (::fstat(file.get(), &info) == 0 && info.st_size > 0) content.reserve(static_cast<std::size_t>(info.st_size));
  char buffer[65536];
  while (true) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got == 0) return content;
    if (got < 0) {
      if (errno == EINTR) continue;
      throw Error(ErrorKind::kConfig, system_error(fmt::format("cannot read {}", path.string()), errno).what());
    }
    content.append(buffer, static_cast<std::size_t>(got));
  }
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::path temporary = path;
  temporary += ".new";
  constexpr mode_t kOwnerOnly = 0600;
  const auto refuse = [&](int error_number) {
    throw Error(ErrorKind::kState, system_error(fmt::format("cannot write {}", path.string()), error_number).what())
        .hint("its folder has to be writable and have some space");
  };
  // One that is left of a run that was killed, or that others have put there, maybe a link to another file, is not
  // written into.
  ::unlink(temporary.c_str());
  FileDescriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kOwnerOnly));
  if (!file.valid()) refuse(errno);
  while (!content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno != EINTR) refuse(errno);
    if (written > 0) content.remove_prefix(static_cast<std::size_t>(written));
  }
  file.reset();
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) refuse(error.value());
}

bool write_new_file(const std::filesystem::path& path, std::string_view content) {
  static std::atomic<unsigned> count{0};
  const std::filesystem::path own = fmt::format("{}.{}.{}", path.string(), ::getpid(), ++count);
  write_file(own, content);
  const bool is_new = ::link(own.c_str(), path.c_str()) == 0;
  const int error_number = errno;
  ::unlink(own.c_str());
  if (is_new || error_number == EEXIST) return is_new;
  throw Error(ErrorKind::kState, system_error(fmt::format("cannot write {}", path.string()), error_number).what())
      .hint("its folder has to be on a file system with hard links");
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "pgsluice.XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw system_error("cannot make a temporary folder", errno);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;  // a leftover in the temporary folder is no reason to end the program
  std::filesystem::remove_all(path_, ignored);
}

namespace {

// A lock of the open file, as flock(2) has them, which can be asked for without being taken.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& path, const std::string& when_held)
    : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
  const auto refuse = [&](int error) {
    throw Error(ErrorKind::kConfig, system_error(fmt::format("cannot lock {}", path.string()), error).what());
  };
  if (!file_.valid()) refuse(errno);
  struct flock whole = whole_file();
  if (::fcntl(file_.get(), F_OFD_SETLK, &whole) == 0) return;
  if (errno != EAGAIN && errno != EACCES) refuse(errno);
  throw Error(ErrorKind::kState, when_held);
}

bool FileLock::is_held(const std::filesystem::path& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return false;
  struct flock whole = whole_file();
  return ::fcntl(file.get(), F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

}  // namespace pgsluice
