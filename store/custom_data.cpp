#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "base/file_descriptor.h"
#include "pgsluice/error.h"
#include "store/stored_data.h"

namespace pgsluice::store {

namespace {

namespace fs = std::filesystem;

constexpr int kRows = 1;
constexpr int kLargeObjects = 3;

// Reads a file from a place on, by way of a buffer. One thread.
class FileCursor {
 public:
  FileCursor(int fd, const fs::path& path, std::uintmax_t at, int int_size)
      : fd_(fd), path_(path), at_(at), int_size_(int_size) {}

  [[noreturn]] void fail(std::string_view why) const {
    throw Error(ErrorKind::kConfig, fmt::format("{}: at byte {}: {}", path_.string(), at_, why));
  }

  std::uintmax_t at() const { return at_; }

  // Fewer than were asked for, and at least one.
  std::string_view some(std::size_t most) {
    if (begin_ == end_) fill();
    if (begin_ == end_) fail("it ends too early");
    const std::string_view bytes(buffer_.data() + begin_, std::min(most, end_ - begin_));
    begin_ += bytes.size();
    at_ += bytes.size();
    return bytes;
  }

  int byte() { return static_cast<unsigned char>(some(1).front()); }

  // Without what follows a file of no more blocks.
  bool is_at_end() {
    if (begin_ == end_) fill();
    return begin_ == end_;
  }

  std::uint64_t number() {
    const bool negative = byte() != 0;
    std::uint64_t value = 0;
    for (int shift = 0; shift < int_size_ * 8; shift += 8) {
      const auto part = static_cast<std::uint64_t>(byte());
      if (part != 0 && shift >= 32) fail("a number is too large");
      if (shift < 32) value |= part << shift;
    }
    // OIDs from 2^31 on are written as negative numbers.
    return negative ? (~value + 1) & std::numeric_limits<std::uint32_t>::max() : value;
  }

  void skip(std::uint64_t count) {
    const std::uint64_t buffered = std::min<std::uint64_t>(count, end_ - begin_);
    begin_ += buffered;
    at_ += count;
  }

 private:
  void fill() {
    while (true) {
      const ssize_t count = ::pread(fd_, buffer_.data(), buffer_.size(), static_cast<off_t>(at_));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail(std::generic_category().message(errno));
      begin_ = 0;
      end_ = static_cast<std::size_t>(count);
      return;
    }
  }

  static constexpr std::size_t kBuffer = 256 * 1024;
  const int fd_;
  const fs::path& path_;
  std::uintmax_t at_;
  const int int_size_;
  std::vector<char> buffer_ = std::vector<char>(kBuffer);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

class CustomData : public StoredData {
 public:
  CustomData(fs::path path, const schema::Archive& archive)
      : path_(std::move(path)), compression_(archive.compression), int_size_(archive.int_size) {
    file_ = FileDescriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!file_.valid() || ::fstat(file_.get(), &status) != 0) {
      throw Error(ErrorKind::kConfig, fmt::format("{}: {}", path_.string(), std::generic_category().message(errno)));
    }
    size_ = static_cast<std::uintmax_t>(status.st_size);
    const auto has_data = [](const schema::TocEntry& entry) {
      return entry.has_data && entry.kind.is_one_of({schema::EntryKind::kTableData, schema::EntryKind::kLargeObjects});
    };
    bool all_known = true;
    for (const schema::TocEntry& entry : archive.entries) {
      if (!has_data(entry)) continue;
      if (entry.data_offset) {
        offsets_[entry.dump_id] = *entry.data_offset;
      } else {
        all_known = false;
      }
    }
    if (!all_known) find_blocks(archive.toc_size);
    for (const auto& [dump_id, offset] : offsets_) begins_.push_back(offset);
    begins_.push_back(size_);
    std::sort(begins_.begin(), begins_.end());
  }

  void read(const schema::TocEntry& entry, const TakePiece& take) const override {
    FileCursor cursor = at_block(entry, kRows);
    read_stream(cursor, take);
  }

  void read_large_objects(const schema::TocEntry& entry, const TakeObject& take) const override {
    FileCursor cursor = at_block(entry, kLargeObjects);
    std::set<std::uint64_t> seen;
    while (const std::uint64_t object = cursor.number()) {
      if (!seen.insert(object).second) cursor.fail(fmt::format("large object {} comes twice", object));
      bool is_empty = true;
      read_stream(cursor, [&](std::string_view piece) {
        is_empty = false;
        take(static_cast<schema::Oid>(object), piece);
      });
      if (is_empty) take(static_cast<schema::Oid>(object), {});
    }
  }

  std::uintmax_t stored_size(const schema::TocEntry& entry) const override {
    const auto found = offsets_.find(entry.dump_id);
    if (found == offsets_.end()) return 0;
    return *std::upper_bound(begins_.begin(), begins_.end() - 1, found->second) - found->second;
  }

 private:
  // Blocks hold no word of how long they are.
  void find_blocks(std::size_t begin) {
    FileCursor cursor(file_.get(), path_, begin, int_size_);
    while (!cursor.is_at_end()) {
      const std::uintmax_t at = cursor.at();
      const int kind = cursor.byte();
      if (kind != kRows && kind != kLargeObjects) cursor.fail("no block of data begins here");
      offsets_[static_cast<int>(cursor.number())] = at;
      if (kind == kRows) {
        skip_chunks(cursor);
      } else {
        while (cursor.number() != 0) skip_chunks(cursor);
      }
      if (cursor.at() > size_) cursor.fail("it ends too early");
    }
  }

  static void skip_chunks(FileCursor& cursor) {
    while (const std::uint64_t length = cursor.number()) cursor.skip(length);
  }

  FileCursor at_block(const schema::TocEntry& entry, int kind) const {
    const auto found = offsets_.find(entry.dump_id);
    if (found == offsets_.end()) {
      throw Error(ErrorKind::kConfig, fmt::format("{}: the data of {} is missing", path_.string(), entry.describe()))
          .hint("the archive is cut off: copy it again, whole");
    }
    FileCursor cursor(file_.get(), path_, found->second, int_size_);
    if (cursor.byte() != kind || cursor.number() != static_cast<std::uint64_t>(entry.dump_id)) {
      cursor.fail(fmt::format("the data of {} does not begin here", entry.describe()));
    }
    return cursor;
  }

  void read_stream(FileCursor& cursor, const TakePiece& take) const {
    StreamDecompressor stream(compression_);
    const auto decompress = [&](const auto& what) {
      try {
        what();
      } catch (const DamagedStream& error) {
        cursor.fail(error.what());
      }
    };
    while (std::uint64_t left = cursor.number()) {
      while (left > 0) {
        const std::string_view bytes = cursor.some(left);
        decompress([&] { stream.add(bytes, take); });
        left -= bytes.size();
      }
    }
    decompress([&] { stream.finish(); });
  }

  const fs::path path_;
  const schema::ArchiveCompression compression_;
  const int int_size_;
  FileDescriptor file_;
  std::uintmax_t size_ = 0;
  std::map<int, std::uintmax_t> offsets_;  // by dump id
  std::vector<std::uintmax_t> begins_;     // of all blocks, and the end
};

}  // namespace

std::unique_ptr<StoredData> open_custom_data(const fs::path& file, const schema::Archive& archive) {
  return std::make_unique<CustomData>(file, archive);
}

}  // namespace pgsluice::store
