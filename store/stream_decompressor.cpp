#include "store/stream_decompressor.h"

#include <fmt/format.h>
#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include <string>

#include "pgsluice/error.h"

namespace pgsluice::store {

namespace {

using schema::ArchiveCompression;

constexpr std::size_t kPiece = 256 * 1024;
constexpr int kGzipOrZlib = 15 + 32;  // zlib's largest window, by what the stream begins with

DamagedStream damaged_stream(std::string_view why) {
  return DamagedStream(fmt::format("it cannot be decompressed: {}", why));
}

Error no_memory() { return Error(ErrorKind::kSystem, "there is no memory for decompressing"); }

}  // namespace

struct StreamDecompressor::State {
  virtual ~State() = default;
  virtual void add(std::string_view bytes, const TakePiece& take) = 0;
  /// False in the middle of a frame.
  bool is_whole = true;
};

namespace {

struct NoState : StreamDecompressor::State {
  void add(std::string_view bytes, const TakePiece& take) override { take(bytes); }
};

struct ZstdState : StreamDecompressor::State {
  std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream{ZSTD_createDStream(), &ZSTD_freeDStream};
  std::string piece = std::string(kPiece, '\0');

  ZstdState() {
    if (!stream) throw no_memory();
  }

  void add(std::string_view bytes, const TakePiece& take) override {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (bool is_full = false; in.pos < in.size || is_full;) {
      ZSTD_outBuffer out{piece.data(), piece.size(), 0};
      const std::size_t missing = ZSTD_decompressStream(stream.get(), &out, &in);
      if (ZSTD_isError(missing) != 0) throw damaged_stream(ZSTD_getErrorName(missing));
      is_whole = missing == 0;
      is_full = out.pos == out.size && !is_whole;
      if (out.pos > 0) take(std::string_view(piece).substr(0, out.pos));
    }
  }
};

struct GzipState : StreamDecompressor::State {
  z_stream stream{};
  std::string piece = std::string(kPiece, '\0');

  GzipState() {
    if (::inflateInit2(&stream, kGzipOrZlib) != Z_OK) throw no_memory();
  }
  GzipState(const GzipState&) = delete;
  GzipState& operator=(const GzipState&) = delete;
  ~GzipState() override { ::inflateEnd(&stream); }

  void add(std::string_view bytes, const TakePiece& take) override {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    for (bool is_full = false; stream.avail_in > 0 || is_full;) {
      // Another member follows.
      if (is_whole && stream.avail_in > 0 && ::inflateReset(&stream) != Z_OK) throw no_memory();
      stream.next_out = reinterpret_cast<Bytef*>(piece.data());
      stream.avail_out = static_cast<uInt>(piece.size());
      const int result = ::inflate(&stream, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        throw damaged_stream(stream.msg == nullptr ? "it is no gzip" : stream.msg);
      }
      is_whole = result == Z_STREAM_END;
      is_full = stream.avail_out == 0 && !is_whole;
      const std::size_t size = piece.size() - stream.avail_out;
      if (size > 0) take(std::string_view(piece).substr(0, size));
    }
  }
};

struct Lz4State : StreamDecompressor::State {
  LZ4F_dctx* context = nullptr;
  std::string piece = std::string(kPiece, '\0');

  Lz4State() {
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)) != 0) throw no_memory();
  }
  Lz4State(const Lz4State&) = delete;
  Lz4State& operator=(const Lz4State&) = delete;
  ~Lz4State() override { LZ4F_freeDecompressionContext(context); }

  void add(std::string_view bytes, const TakePiece& take) override {
    for (bool is_full = false; !bytes.empty() || is_full;) {
      std::size_t in = bytes.size();
      std::size_t out = piece.size();
      const std::size_t missing = LZ4F_decompress(context, piece.data(), &out, bytes.data(), &in, nullptr);
      if (LZ4F_isError(missing) != 0) throw damaged_stream(LZ4F_getErrorName(missing));
      is_whole = missing == 0;
      is_full = out == piece.size() && !is_whole;
      bytes.remove_prefix(in);
      if (out > 0) take(std::string_view(piece).substr(0, out));
    }
  }
};

std::unique_ptr<StreamDecompressor::State> state_for(ArchiveCompression compression) {
  switch (compression) {
    case ArchiveCompression::kNone:
      return std::make_unique<NoState>();
    case ArchiveCompression::kGzip:
      return std::make_unique<GzipState>();
    case ArchiveCompression::kLz4:
      return std::make_unique<Lz4State>();
    case ArchiveCompression::kZstd:
      return std::make_unique<ZstdState>();
  }
  throw Error(ErrorKind::kInternal, "an unknown compression");
}

}  // namespace

StreamDecompressor::StreamDecompressor(ArchiveCompression compression) : state_(state_for(compression)) {}
StreamDecompressor::~StreamDecompressor() = default;

void StreamDecompressor::add(std::string_view bytes, const TakePiece& take) {
  if (!bytes.empty()) state_->add(bytes, take);
}

void StreamDecompressor::finish() const {
  if (!state_->is_whole) throw damaged_stream("it ends too early");
}

}  // namespace pgsluice::store
