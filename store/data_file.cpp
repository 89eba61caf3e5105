#include "store/data_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/digest.h"

namespace pgsluice::store {

namespace {

constexpr std::string_view kMagic = "pgslidx1";
constexpr std::uint32_t kSkippable = 0x184D2A5B;
constexpr std::size_t kSkippableHead = 8;
constexpr std::size_t kNumber = 4;
constexpr std::size_t kDigest = 16;
constexpr std::size_t kMaxStored = 2 * kFrameContent;  // no algorithm makes it that large
constexpr std::size_t kEntry = 3 * kNumber + kDigest;
constexpr std::size_t kAroundEntries = 2 * kMagic.size() + 2 * kNumber + kDigest;

template <class Number>
void append(std::string& out, Number value) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    out += static_cast<char>(value & 0xFFU);
    value = static_cast<Number>(value >> 8U);
  }
}

template <class Number>
Number number_at(std::string_view bytes, std::size_t at) {
  Number value = 0;
  for (std::size_t i = sizeof(Number); i > 0; --i) {
    value = static_cast<Number>((value << 8U) | static_cast<unsigned char>(bytes[at + i - 1]));
  }
  return value;
}

void append(std::string& out, const Digest& digest) {
  append(out, digest.high);
  append(out, digest.low);
}

Digest digest_at(std::string_view bytes, std::size_t at) {
  return {number_at<std::uint64_t>(bytes, at), number_at<std::uint64_t>(bytes, at + 8)};
}

Error damaged(std::string_view file, std::string_view why) {
  return Error(ErrorKind::kConfig, fmt::format("{} is damaged: {}", file, why));
}

Error failed(std::string_view what, const std::filesystem::path& file) {
  return system_error(fmt::format("{} {}", what, file.string()), errno);
}

// The kernel moves the bytes where it can, without this process seeing them.
void append_file(int to, const std::filesystem::path& target, const std::filesystem::path& part) {
  const FileDescriptor from(::open(part.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from.valid()) throw failed("cannot open", part);
  constexpr std::size_t kAtOnce = 1U << 30U;
  bool by_kernel = true;
  while (by_kernel) {
    const ssize_t moved = ::copy_file_range(from.get(), nullptr, to, nullptr, kAtOnce, 0);
    if (moved == 0) return;
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO)) throw failed("cannot write", target);
    by_kernel = moved > 0;
  }
  std::string buffer(kFrameContent, '\0');
  while (true) {
    const ssize_t count = ::read(from.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw failed("cannot read", part);
    if (count == 0) return;
    write_whole(to, std::string_view(buffer).substr(0, static_cast<std::size_t>(count)), target);
  }
}

}  // namespace

std::filesystem::path index_file_of(std::filesystem::path file) { return file += ".frames"; }

std::string encode_index(const std::vector<Frame>& frames) {
  std::string entries;
  entries.reserve(frames.size() * kEntry);
  for (const Frame& frame : frames) {
    append(entries, frame.stored);
    append(entries, frame.content);
    append(entries, frame.rows);
    append(entries, frame.digest);
  }
  std::string index(kMagic);
  append(index, static_cast<std::uint32_t>(frames.size()));
  index += entries;
  append(index, digest_of(entries));
  append(index, static_cast<std::uint32_t>(entries.size() + kAroundEntries));
  index += kMagic;
  return index;
}

std::vector<Frame> decode_index(std::string_view index, std::string_view file) {
  if (index.size() < kAroundEntries || !index.starts_with(kMagic) || !index.ends_with(kMagic)) {
    throw damaged(file, "it has no index of its frames");
  }
  const std::size_t count = number_at<std::uint32_t>(index, kMagic.size());
  if (index.size() != kAroundEntries + count * kEntry)
    throw damaged(file, "the index of its frames is not of its size");
  if (number_at<std::uint32_t>(index, index.size() - kMagic.size() - kNumber) != index.size()) {
    throw damaged(file, "the index of its frames is not of its size");
  }
  const std::string_view entries = index.substr(kMagic.size() + kNumber, count * kEntry);
  if (digest_of(entries) != digest_at(index, kMagic.size() + kNumber + entries.size())) {
    throw damaged(file, "the index of its frames was changed");
  }
  std::vector<Frame> frames;
  frames.reserve(count);
  for (std::size_t at = 0; at < entries.size(); at += kEntry) {
    frames.push_back({.stored = number_at<std::uint32_t>(entries, at),
                      .content = number_at<std::uint32_t>(entries, at + kNumber),
                      .rows = number_at<std::uint32_t>(entries, at + 2 * kNumber),
                      .digest = digest_at(entries, at + 3 * kNumber)});
    if (frames.back().content > kFrameContent || frames.back().stored > kMaxStored)
      throw damaged(file, "a frame is larger than any can be");
  }
  return frames;
}

PartFile::PartFile(std::filesystem::path path)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)) {
  if (!file_.valid()) throw Error(ErrorKind::kState, failed("cannot make", path_).what());
}

void PartFile::write(std::string_view stored, const Frame& frame) {
  write_whole(file_.get(), stored, path_);
  frames_.push_back(frame);
}

void PartFile::put(std::size_t number, std::string_view stored, const Frame& frame) {
  const MutexLock lock(mutex_);
  if (number != frames_.size()) {
    waiting_.emplace(number, Waiting{std::string(stored), frame});
    return;
  }
  write(stored, frame);
  for (auto next = waiting_.begin(); next != waiting_.end() && next->first == frames_.size();) {
    write(next->second.stored, next->second.frame);
    next = waiting_.erase(next);
  }
}

void PartFile::settle(const std::optional<Error>& error) {
  const MutexLock lock(mutex_);
  if (error && !error_) error_ = error;
  ++settled_;
  changed_.notify_all();
}

std::vector<Frame> PartFile::finish(std::size_t frames) {
  {
    MutexLock lock(mutex_);
    while (settled_ < frames) lock.wait(changed_);
    if (error_) throw Error(*error_);
  }
  file_.reset();
  const MutexLock lock(mutex_);
  return std::move(frames_);
}

std::uintmax_t join_parts(const std::filesystem::path& file, const std::vector<WrittenPart>& parts,
                          schema::ArchiveCompression compression) {
  const std::filesystem::path& first = parts.front().path;
  // Not to append: copy_file_range(2) would refuse it.
  const FileDescriptor out(::open(first.c_str(), O_WRONLY | O_CLOEXEC));
  if (!out.valid() || ::lseek(out.get(), 0, SEEK_END) < 0) throw failed("cannot open", first);
  std::vector<Frame> frames;
  for (const WrittenPart& part : parts) {
    if (&part != &parts.front()) append_file(out.get(), first, part.path);
    frames.insert(frames.end(), part.frames.begin(), part.frames.end());
  }
  const std::string index = encode_index(frames);
  if (compression == schema::ArchiveCompression::kZstd) {
    std::string head;
    append(head, kSkippable);
    append(head, static_cast<std::uint32_t>(index.size()));
    write_whole(out.get(), head + index, first);
  } else {
    write_file(index_file_of(file), index);
  }
  if (::rename(first.c_str(), file.c_str()) != 0) throw failed("cannot rename", first);
  for (const WrittenPart& part : parts) {
    if (&part != &parts.front() && ::unlink(part.path.c_str()) != 0) throw failed("cannot remove", part.path);
  }
  struct stat status {};
  if (::fstat(out.get(), &status) != 0) throw failed("cannot open", file);
  return static_cast<std::uintmax_t>(status.st_size);
}

void sync_folder(const std::filesystem::path& folder) {
  const FileDescriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.valid() || ::syncfs(opened.get()) != 0) throw failed("cannot bring to the disk", folder);
}

std::string read_at(int fd, std::uintmax_t at, std::size_t size, const std::filesystem::path& file) {
  std::string bytes(size, '\0');
  for (std::size_t done = 0; done < size;) {
    const ssize_t count = ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(at + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw failed("cannot read", file);
    if (count == 0) throw damaged(file.string(), "it ends too early");
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

std::vector<Frame> read_index(const std::filesystem::path& file, schema::ArchiveCompression compression) {
  const FileDescriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!opened.valid() || ::fstat(opened.get(), &status) != 0) {
    throw Error(ErrorKind::kConfig, failed("cannot open", file).what());
  }
  const auto size = static_cast<std::uintmax_t>(status.st_size);
  std::vector<Frame> frames;
  std::uintmax_t of_index = 0;
  if (compression == schema::ArchiveCompression::kZstd) {
    constexpr std::size_t kTail = kNumber + kMagic.size();
    if (size < kSkippableHead + kAroundEntries) throw damaged(file.string(), "it has no index of its frames");
    const auto index_size = number_at<std::uint32_t>(read_at(opened.get(), size - kTail, kTail, file), 0);
    of_index = kSkippableHead + static_cast<std::uintmax_t>(index_size);
    if (of_index > size) throw damaged(file.string(), "it has no index of its frames");
    frames = decode_index(read_at(opened.get(), size - index_size, index_size, file), file.string());
    const std::string head = read_at(opened.get(), size - of_index, kSkippableHead, file);
    if (number_at<std::uint32_t>(head, 0) != kSkippable || number_at<std::uint32_t>(head, kNumber) != index_size) {
      throw damaged(file.string(), "the index of its frames is not where other readers pass over it");
    }
  } else {
    frames = decode_index(read_file(index_file_of(file)), file.string());
  }
  std::uintmax_t stored = 0;
  for (const Frame& frame : frames) stored += frame.stored;
  if (stored + of_index != size) {
    throw damaged(file.string(), fmt::format("it has {} bytes, and its index is of {}", size, stored + of_index));
  }
  return frames;
}

}  // namespace pgsluice::store
