#include "store/tar_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <optional>
#include <string_view>
#include <utility>

#include "base/file_descriptor.h"
#include "base/wait.h"
#include "pgsluice/error.h"
#include "store/manifest.h"

namespace pgsluice::store {

namespace {

constexpr std::size_t kBuffer = 256 * 1024;

struct FreeEntry {
  void operator()(archive_entry* entry) const { ::archive_entry_free(entry); }
};
struct FreeWriter {
  void operator()(::archive* tar) const { ::archive_write_free(tar); }
};
struct FreeReader {
  void operator()(::archive* tar) const { ::archive_read_free(tar); }
};

void wait_until_ready(WaitFor what, const CancelToken& cancel) {
  std::array<WaitFor, 1> set{what};
  if (wait_for(set, cancel, std::nullopt) == WaitResult::kCancelled) cancel.throw_if_cancelled();
}

// A stream that libarchive reads or writes, and why it could not: an exception must not pass through its C code.
struct Stream {
  int fd = -1;
  CancelToken cancel;
  std::optional<Error> error = std::nullopt;
  std::string buffer = {};
  std::string ahead = {};  ///< bytes that were read to see what the stream is
};

// Returns 0 at the end. Throws Error.
std::size_t read_bytes(Stream& stream, char* into, std::size_t most) {
  while (true) {
    wait_until_ready({.fd = stream.fd, .want_read = true}, stream.cancel);
    const ssize_t got = ::read(stream.fd, into, most);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw system_error("cannot read the stream", errno);
  }
}

la_ssize_t write_some(::archive* /*tar*/, void* data, const void* bytes, std::size_t size) {
  auto& stream = *static_cast<Stream*>(data);
  try {
    // A pipe that is ready takes so many bytes at once; more would wait in the kernel, deaf to a cancellation.
    wait_until_ready({.fd = stream.fd, .want_write = true}, stream.cancel);
    const ssize_t written = ::write(stream.fd, bytes, std::min<std::size_t>(size, PIPE_BUF));
    if (written >= 0) return written;
    stream.error = system_error("cannot write the stream", errno);
  } catch (const Error& error) {
    stream.error = error;
  }
  return -1;
}

la_ssize_t read_some(::archive* /*tar*/, void* data, const void** bytes) {
  auto& stream = *static_cast<Stream*>(data);
  try {
    if (!stream.ahead.empty()) {
      stream.buffer = std::exchange(stream.ahead, {});
      *bytes = stream.buffer.data();
      return static_cast<la_ssize_t>(stream.buffer.size());
    }
    stream.buffer.resize(kBuffer);
    *bytes = stream.buffer.data();
    return static_cast<la_ssize_t>(read_bytes(stream, stream.buffer.data(), stream.buffer.size()));
  } catch (const Error& error) {
    stream.error = error;
  }
  return -1;
}

// Our own error, which is why libarchive failed, or else its words.
Error error_of(const Stream& stream, ::archive* tar, std::string_view what) {
  if (stream.error) return *stream.error;
  const char* text = ::archive_error_string(tar);
  return Error(ErrorKind::kConfig, fmt::format("{}: {}", what, text == nullptr ? "it is damaged" : text));
}

// "./" before a name is of tar commands.
std::string checked_name(archive_entry* entry) {
  const char* path = ::archive_entry_pathname(entry);
  std::string name = path == nullptr ? "" : path;
  if (name.starts_with("./")) name.erase(0, 2);
  const bool is_plain = !name.empty() && name.find('/') == std::string::npos && !name.starts_with('.');
  if (is_plain && ::archive_entry_filetype(entry) == AE_IFREG && ::archive_entry_hardlink(entry) == nullptr) {
    return name;
  }
  throw Error(ErrorKind::kConfig, fmt::format("the stream is no archive of pgsluice: it has \"{}\"", name));
}

bool is_folder_itself(archive_entry* entry) {
  const char* path = ::archive_entry_pathname(entry);
  const std::string_view name = path == nullptr ? "" : path;
  return ::archive_entry_filetype(entry) == AE_IFDIR && (name == "." || name == "./");
}

}  // namespace

struct TarWriter::State {
  Stream stream;
  std::unique_ptr<::archive, FreeWriter> tar;
};

TarWriter::TarWriter(int fd, CancelToken cancel)
    : state_(new State{.stream = {.fd = fd, .cancel = std::move(cancel)}, .tar = {}}) {
  state_->tar.reset(::archive_write_new());
  ::archive* tar = state_->tar.get();
  ::archive_write_set_format_pax_restricted(tar);
  ::archive_write_set_bytes_per_block(tar, static_cast<int>(kBuffer));
  ::archive_write_set_bytes_in_last_block(tar, 1);
  if (::archive_write_open(tar, &state_->stream, nullptr, &write_some, nullptr) != ARCHIVE_OK) {
    throw error_of(state_->stream, tar, "the stream");
  }
}

TarWriter::~TarWriter() {
  // Freeing it would write the end of the tar, after an error too.
  if (state_->tar) ::archive_write_fail(state_->tar.get());
}

void TarWriter::add(const std::string& name, const std::filesystem::path& file) {
  ::archive* tar = state_->tar.get();
  const FileDescriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!in.valid() || ::fstat(in.get(), &status) != 0) throw system_error("cannot open " + file.string(), errno);
  const std::unique_ptr<archive_entry, FreeEntry> entry(::archive_entry_new());
  ::archive_entry_set_pathname(entry.get(), name.c_str());
  ::archive_entry_set_filetype(entry.get(), AE_IFREG);
  ::archive_entry_set_perm(entry.get(), S_IRUSR | S_IWUSR);
  ::archive_entry_set_size(entry.get(), status.st_size);
  ::archive_entry_set_mtime(entry.get(), status.st_mtime, 0);
  if (::archive_write_header(tar, entry.get()) != ARCHIVE_OK) throw error_of(state_->stream, tar, name);
  state_->stream.buffer.resize(kBuffer);
  for (std::int64_t left = status.st_size; left > 0;) {
    const ssize_t got = ::read(in.get(), state_->stream.buffer.data(), kBuffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw system_error("cannot read " + file.string(), got < 0 ? errno : EIO);
    if (::archive_write_data(tar, state_->stream.buffer.data(), static_cast<std::size_t>(got)) != got) {
      throw error_of(state_->stream, tar, name);
    }
    left -= got;
  }
  if (::archive_write_finish_entry(tar) != ARCHIVE_OK) throw error_of(state_->stream, tar, name);
}

void TarWriter::finish() {
  if (::archive_write_close(state_->tar.get()) != ARCHIVE_OK) {
    throw error_of(state_->stream, state_->tar.get(), "the stream");
  }
}

namespace {

void unpack_file(::archive* tar, const Stream& stream, const std::filesystem::path& file, std::int64_t size) {
  const FileDescriptor out(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  if (!out.valid()) {
    throw Error(errno == EEXIST ? ErrorKind::kConfig : ErrorKind::kState,
                system_error("cannot make " + file.string(), errno).what());
  }
  const void* block = nullptr;
  std::size_t count = 0;
  la_int64_t at = 0;
  std::int64_t written = 0;
  while (true) {
    const int result = ::archive_read_data_block(tar, &block, &count, &at);
    if (result == ARCHIVE_EOF) break;
    if (result != ARCHIVE_OK) throw error_of(stream, tar, "the stream is cut off, or damaged");
    // No file of an archive has holes.
    if (at != written) throw Error(ErrorKind::kConfig, "the stream is no archive of pgsluice: it has holes");
    write_whole(out.get(), std::string_view(static_cast<const char*>(block), count), file);
    written += static_cast<std::int64_t>(count);
  }
  if (written != size) throw Error(ErrorKind::kConfig, "the stream is cut off");
}

void unpack(Stream& stream, const std::filesystem::path& folder) {
  const std::unique_ptr<::archive, FreeReader> owner(::archive_read_new());
  ::archive* tar = owner.get();
  ::archive_read_support_format_tar(tar);
  if (::archive_read_open(tar, &stream, nullptr, &read_some, nullptr) != ARCHIVE_OK) {
    throw error_of(stream, tar, "the stream is no tar");
  }
  bool is_empty = true;
  while (true) {
    archive_entry* entry = nullptr;
    const int result = ::archive_read_next_header(tar, &entry);
    if (result == ARCHIVE_EOF) break;
    if (result != ARCHIVE_OK) throw error_of(stream, tar, "the stream is cut off, or no tar");
    is_empty = false;
    if (is_folder_itself(entry)) continue;
    unpack_file(tar, stream, folder / checked_name(entry), ::archive_entry_size(entry));
  }
  if (is_empty) throw Error(ErrorKind::kConfig, "the stream is empty");
}

void keep_stream(Stream& stream, const std::filesystem::path& file) {
  const FileDescriptor out(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  if (!out.valid()) throw Error(ErrorKind::kState, system_error("cannot make " + file.string(), errno).what());
  write_whole(out.get(), stream.ahead, file);
  stream.buffer.resize(kBuffer);
  while (const std::size_t got = read_bytes(stream, stream.buffer.data(), stream.buffer.size())) {
    write_whole(out.get(), std::string_view(stream.buffer).substr(0, got), file);
  }
}

}  // namespace

void unpack_tar(int fd, const std::filesystem::path& folder, const CancelToken& cancel) {
  Stream stream{.fd = fd, .cancel = cancel};
  unpack(stream, folder);
}

std::filesystem::path receive_archive(int fd, const std::filesystem::path& folder, const CancelToken& cancel) {
  constexpr std::string_view kMagicOfCustom = "PGDMP";
  Stream stream{.fd = fd, .cancel = cancel};
  stream.ahead.resize(kMagicOfCustom.size());
  std::size_t got = 0;
  while (got < stream.ahead.size()) {
    const std::size_t more = read_bytes(stream, stream.ahead.data() + got, stream.ahead.size() - got);
    if (more == 0) break;
    got += more;
  }
  stream.ahead.resize(got);
  if (got == 0) throw Error(ErrorKind::kConfig, "the stream is empty");
  if (stream.ahead == kMagicOfCustom) {
    keep_stream(stream, folder / "stream.dump");
    return folder / "stream.dump";
  }
  unpack(stream, folder);
  std::error_code failed;
  if (!std::filesystem::exists(folder / kManifestFile, failed)) {
    throw Error(ErrorKind::kConfig, fmt::format("the stream is cut off: it has no {}, which comes last", kManifestFile))
        .hint("a tar of pg_dump's folder is to be unpacked, and the folder restored");
  }
  return folder;
}

}  // namespace pgsluice::store
