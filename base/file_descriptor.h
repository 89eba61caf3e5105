#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace pgsluice {

/// Owns a file descriptor and closes it. Move-only.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

/// Writes all bytes to an open file, where it stands. Throws Error(kSystem) that names `path`.
void write_whole(int fd, std::string_view bytes, const std::filesystem::path& path);

/// The whole content of a file. Throws Error(kConfig) that names the file when it cannot be read.
std::string read_file(const std::filesystem::path& path);

/// Writes a file whole or not at all, by another name first; readable by its owner only. Throws Error(kState) that
/// names the file.
void write_file(const std::filesystem::path& path, std::string_view content);

/// Like write_file(), unless there is a file of that name: that one stays and is not opened. Returns true if it was
/// written. Of several processes and threads that do so at once, one writes.
bool write_new_file(const std::filesystem::path& path, std::string_view content);

/// A new folder under the system's temporary folder, mode 0700, removed with all that is in it when the object goes.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Holds an exclusive lock on a file as long as it lives, so that two processes do not share what it stands for.
class FileLock {
 public:
  /// Throws Error(kState) with this text when another process holds the lock, Error(kConfig) when there can be none.
  FileLock(const std::filesystem::path& path, const std::string& when_held);

  /// True if a process holds it; taking it meanwhile is not prevented.
  static bool is_held(const std::filesystem::path& path);

 private:
  FileDescriptor file_;
};

}  // namespace pgsluice
