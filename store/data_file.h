#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "copy/row_ranges.h"
#include "pgsluice/digest.h"
#include "pgsluice/error.h"
#include "schema/archive/archive.h"

// The files with an archive's data: a table's rows as COPY writes them, or one large object.
//
//   file    = frame* [skippable]           frames one after another, each decompressed by itself
//   content = row* "\\.\n\n\n"             of a table, as pg_dump ends it; of a large object its bytes
//
// Where each frame begins stands in an index: in a skippable frame at the end of a file of zstd, which other readers
// pass over, and in a file of its own with ".frames" after its name for other compressions.
//
//   skippable = 0x184D2A5B:u32 size:u32 index
//   index     = "pgslidx1" count:u32 entry*count digest:16 size:u32 "pgslidx1"
//   entry     = stored:u32 content:u32 rows:u32 digest:16          in the order of the frames
//   u32       = four bytes, least significant first
//
// The digest of an entry is that of the frame's content, that of an index covers its entries; `size` is that of the
// whole index, so that it is found from the file's end.

namespace pgsluice::store {

/// The most bytes that a frame decompresses to.
inline constexpr std::size_t kFrameContent = static_cast<std::size_t>(copy::kFrameSize.count);

/// A frame, as the index describes it.
struct Frame {
  std::uint32_t stored = 0;   ///< bytes in the file
  std::uint32_t content = 0;  ///< bytes that it decompresses to
  std::uint32_t rows = 0;     ///< line ends in these
  Digest digest;              ///< of these

  bool operator==(const Frame&) const = default;
};

std::string encode_index(const std::vector<Frame>& frames);
/// `file` stands for the file in messages. Throws Error(kConfig) for bytes that are no index, or one that was changed.
std::vector<Frame> decode_index(std::string_view index, std::string_view file);

/// A part of a data file while it is written. Frames may be put in any order and from any thread; they stand in the
/// file in the order of their numbers.
class PartFile {
 public:
  /// Makes the file, with mode 0600. Throws Error(kState) that names it.
  explicit PartFile(std::filesystem::path path);
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  /// Writes a frame, or keeps it until those before it have come. Throws Error(kSystem) that names the file.
  void put(std::size_t number, std::string_view stored, const Frame& frame);
  /// To be called for each frame when put() has returned or thrown, and nothing uses this object for it any more.
  void settle(const std::optional<Error>& error);
  /// Waits until so many frames are settled. Throws what one of them failed with, Error(kSystem).
  std::vector<Frame> finish(std::size_t frames);

  const std::filesystem::path& path() const { return path_; }

 private:
  struct Waiting {
    std::string stored;
    Frame frame;
  };
  void write(std::string_view stored, const Frame& frame) REQUIRES(mutex_);

  const std::filesystem::path path_;
  FileDescriptor file_;
  Mutex mutex_;
  std::condition_variable changed_;
  std::vector<Frame> frames_ GUARDED_BY(mutex_);
  std::map<std::size_t, Waiting> waiting_ GUARDED_BY(mutex_);
  std::size_t settled_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> error_ GUARDED_BY(mutex_);
};

/// A part that is whole.
struct WrittenPart {
  std::filesystem::path path;
  std::vector<Frame> frames;
};

/// The file with the index of a data file that is not compressed by zstd.
std::filesystem::path index_file_of(std::filesystem::path file);

/// Makes a data file of its parts, in their order, with an index. The parts are no more then.
/// Returns its size. Throws Error(kSystem).
std::uintmax_t join_parts(const std::filesystem::path& file, const std::vector<WrittenPart>& parts,
                          schema::ArchiveCompression compression);

/// Brings all files of the folder's file system to the disk at once: one by one takes longer than writing them where
/// they are small. Throws Error(kSystem) where one of them could not be written.
void sync_folder(const std::filesystem::path& folder);

/// Reads a piece of an open file; `file` is for messages. Throws Error(kSystem), Error(kConfig) for a file that ends
/// before.
std::string read_at(int fd, std::uintmax_t at, std::size_t size, const std::filesystem::path& file);

/// Reads the index of a data file, and checks it against the file's size. Throws Error(kConfig) that names the file.
std::vector<Frame> read_index(const std::filesystem::path& file, schema::ArchiveCompression compression);

}  // namespace pgsluice::store
