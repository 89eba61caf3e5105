#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "schema/archive/archive.h"

namespace pgsluice::store {

/// How the data of an archive is to be compressed.
struct Compression {
  schema::ArchiveCompression algorithm = schema::ArchiveCompression::kZstd;
  int level = 3;
  /// True if the level, of zstd, is whatever the moment allows (Pump).
  bool is_automatic = false;

  /// As parse_compression() reads it: "zstd:3", "auto", "none".
  std::string text() const;
};

/// Reads "zstd", "zstd:19", "auto", "gzip", "gzip:6" or "none". Throws Error(kUsage) for another text or level.
Compression parse_compression(std::string_view text);

/// Compresses pieces of a file: frames of zstd, members of gzip. Each can be decompressed alone, and all of them are
/// one stream to other programs. One thread.
class Compressor {
 public:
  explicit Compressor(const Compression& compression);
  ~Compressor();

  /// Returns the frame with this content, valid until the next call. Throws Error(kInternal).
  std::string_view compress(std::string_view content);
  /// Changes the level of the frames from now on; only of zstd.
  void set_level(int level);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads frames. One thread.
class Decompressor {
 public:
  explicit Decompressor(schema::ArchiveCompression algorithm);
  ~Decompressor();

  /// Returns the content of one whole frame, valid until the next call. Throws Error(kConfig) for bytes that are none,
  /// or whose content is not of this size: no more memory than that is taken, whatever the frame says of itself.
  std::string_view decompress(std::string_view frame, std::size_t content_size);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgsluice::store
