#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.h"
#include "store/compression.h"
#include "store/data_file.h"
#include "store/manifest.h"

namespace pgsluice::store {

/// Reads the frames of a data file of which the manifest says what it was when it was written. One thread.
class FrameReader {
 public:
  /// Throws Error(kConfig) that names the file, where it is missing or another one than was written.
  FrameReader(const std::filesystem::path& folder, const ArchivedFile& file, schema::ArchiveCompression compression);

  const std::vector<Frame>& frames() const { return frames_; }
  /// Bytes of all frames together, decompressed.
  std::uintmax_t content_size() const { return content_size_; }

  /// Returns the content of a frame, which is the one that was written; valid until the next call. Throws
  /// Error(kConfig) that names the frame, the file and the byte.
  std::string_view read(std::size_t frame);

 private:
  const std::filesystem::path path_;
  const std::string name_;
  std::vector<Frame> frames_;
  std::vector<std::uintmax_t> begins_;
  std::uintmax_t content_size_ = 0;
  FileDescriptor opened_;
  Decompressor decompressor_;
  std::string stored_;
};

}  // namespace pgsluice::store
