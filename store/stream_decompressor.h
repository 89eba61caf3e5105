#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "pgsluice/error.h"
#include "schema/archive/archive.h"

namespace pgsluice::store {

/// Gets content in pieces; what it throws ends the reading.
using TakePiece = std::function<void(std::string_view)>;

/// A stream that is damaged or cut off.
class DamagedStream : public Error {
 public:
  explicit DamagedStream(const std::string& why) : Error(ErrorKind::kConfig, why) {}
};

/// Decompresses a stream that pg_dump has written: frames of zstd or lz4, gzip or zlib, or nothing of that. Takes a
/// bounded amount of memory whatever the stream says of itself: windows of zstd up to 128 MB. One thread.
class StreamDecompressor {
 public:
  explicit StreamDecompressor(schema::ArchiveCompression compression);
  ~StreamDecompressor();

  /// Hands on what so much more of the stream decompresses to. Throws DamagedStream.
  void add(std::string_view bytes, const TakePiece& take);
  /// Throws DamagedStream for a stream that is cut off.
  void finish() const;

  /// One for each compression.
  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace pgsluice::store
