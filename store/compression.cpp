#include "store/compression.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <charconv>

#include "base/complaints.h"
#include "pgsluice/error.h"

namespace pgsluice::store {

namespace {

using schema::ArchiveCompression;

constexpr int kZstdLevel = 3;
constexpr int kGzipLevel = 6;
constexpr int kGzipMember = 15 + 16;  // zlib's largest window, in gzip's wrapping

Error not_a_compression(std::string_view given) {
  return Error(
      ErrorKind::kUsage,
      fmt::format("a compression is zstd, zstd:1 to zstd:19, auto, gzip, gzip:1 to gzip:9 or none, not {}", given));
}

z_stream gzip_stream() {
  z_stream stream{};
  return stream;
}

Bytef* bytes_of(std::string_view text) { return reinterpret_cast<Bytef*>(const_cast<char*>(text.data())); }

Error damaged(std::string_view why) {
  return Error(ErrorKind::kConfig, fmt::format("a frame cannot be read: {}", why));
}

}  // namespace

std::string Compression::text() const {
  switch (algorithm) {
    case ArchiveCompression::kZstd:
      return is_automatic ? "auto" : fmt::format("zstd:{}", level);
    case ArchiveCompression::kGzip:
      return fmt::format("gzip:{}", level);
    case ArchiveCompression::kLz4:
      return "lz4";
    case ArchiveCompression::kNone:
      break;
  }
  return "none";
}

Compression parse_compression(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  if (text == "none") return {ArchiveCompression::kNone, 0};
  if (text == "auto") return {.algorithm = ArchiveCompression::kZstd, .level = kZstdLevel, .is_automatic = true};
  const bool is_zstd = name == "zstd";
  if (!is_zstd && name != "gzip") throw not_a_compression(text);
  Compression result{is_zstd ? ArchiveCompression::kZstd : ArchiveCompression::kGzip,
                     is_zstd ? kZstdLevel : kGzipLevel};
  if (colon == std::string_view::npos) return result;
  const std::string_view level = text.substr(colon + 1);
  const auto [end, status] = std::from_chars(level.data(), level.data() + level.size(), result.level);
  const bool is_number = status == std::errc() && end == level.data() + level.size();
  constexpr int kHighestZstd = 19;
  constexpr int kHighestGzip = 9;
  if (!is_number || result.level < 1 || result.level > (is_zstd ? kHighestZstd : kHighestGzip)) {
    throw not_a_compression(text);
  }
  return result;
}

struct Compressor::State {
  Compression compression;
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> zstd{nullptr, &ZSTD_freeCCtx};
  z_stream gzip = gzip_stream();
  std::string frame;

  explicit State(const Compression& wanted) : compression(wanted) {
    if (compression.algorithm == ArchiveCompression::kZstd) {
      zstd.reset(ZSTD_createCCtx());
      if (!zstd) throw Error(ErrorKind::kSystem, "there is no memory for compressing");
      ZSTD_CCtx_setParameter(zstd.get(), ZSTD_c_compressionLevel, compression.level);
    }
    if (compression.algorithm == ArchiveCompression::kGzip &&
        ::deflateInit2(&gzip, compression.level, Z_DEFLATED, kGzipMember, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw Error(ErrorKind::kSystem, "there is no memory for compressing");
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (compression.algorithm == ArchiveCompression::kGzip) ::deflateEnd(&gzip);
  }
};

Compressor::Compressor(const Compression& compression) : state_(new State(compression)) {}
Compressor::~Compressor() = default;

void Compressor::set_level(int level) {
  if (state_->compression.algorithm != ArchiveCompression::kZstd || state_->compression.level == level) return;
  state_->compression.level = level;
  ZSTD_CCtx_setParameter(state_->zstd.get(), ZSTD_c_compressionLevel, level);
}

std::string_view Compressor::compress(std::string_view content) {
  State& state = *state_;
  if (state.compression.algorithm == ArchiveCompression::kNone) return content;
  if (state.compression.algorithm == ArchiveCompression::kZstd) {
    state.frame.resize(ZSTD_compressBound(content.size()));
    const std::size_t size =
        ZSTD_compress2(state.zstd.get(), state.frame.data(), state.frame.size(), content.data(), content.size());
    if (ZSTD_isError(size) != 0) {
      throw Error(ErrorKind::kInternal, fmt::format("zstd cannot compress: {}", ZSTD_getErrorName(size)));
    }
    return std::string_view(state.frame).substr(0, size);
  }
  ::deflateReset(&state.gzip);
  state.frame.resize(::deflateBound(&state.gzip, content.size()));
  state.gzip.next_in = bytes_of(content);
  state.gzip.avail_in = static_cast<uInt>(content.size());
  state.gzip.next_out = bytes_of(state.frame);
  state.gzip.avail_out = static_cast<uInt>(state.frame.size());
  if (::deflate(&state.gzip, Z_FINISH) != Z_STREAM_END) throw Error(ErrorKind::kInternal, "zlib cannot compress");
  return std::string_view(state.frame).substr(0, state.frame.size() - state.gzip.avail_out);
}

struct Decompressor::State {
  ArchiveCompression algorithm;
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> zstd{nullptr, &ZSTD_freeDCtx};
  z_stream gzip = gzip_stream();
  std::string content;

  explicit State(ArchiveCompression wanted) : algorithm(wanted) {
    if (algorithm == ArchiveCompression::kZstd) zstd.reset(ZSTD_createDCtx());
    const bool failed = (algorithm == ArchiveCompression::kZstd && !zstd) ||
                        (algorithm == ArchiveCompression::kGzip && ::inflateInit2(&gzip, kGzipMember) != Z_OK);
    if (failed) throw Error(ErrorKind::kSystem, "there is no memory for decompressing");
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (algorithm == ArchiveCompression::kGzip) ::inflateEnd(&gzip);
  }
};

Decompressor::Decompressor(schema::ArchiveCompression algorithm) : state_(new State(algorithm)) {}
Decompressor::~Decompressor() = default;

std::string_view Decompressor::decompress(std::string_view frame, std::size_t content_size) {
  State& state = *state_;
  if (state.algorithm == ArchiveCompression::kNone) {
    if (frame.size() != content_size) throw damaged("its size is another");
    return frame;
  }
  state.content.resize(content_size);
  if (state.algorithm == ArchiveCompression::kZstd) {
    const std::size_t size =
        ZSTD_decompressDCtx(state.zstd.get(), state.content.data(), content_size, frame.data(), frame.size());
    if (ZSTD_isError(size) != 0) throw damaged(ZSTD_getErrorName(size));
    if (size != content_size) throw damaged("its content is shorter than its index says");
    return state.content;
  }
  ::inflateReset(&state.gzip);
  state.gzip.next_in = bytes_of(frame);
  state.gzip.avail_in = static_cast<uInt>(frame.size());
  state.gzip.next_out = bytes_of(state.content);
  state.gzip.avail_out = static_cast<uInt>(content_size);
  const bool ended = ::inflate(&state.gzip, Z_FINISH) == Z_STREAM_END;
  if (!ended || state.gzip.avail_out != 0 || state.gzip.avail_in != 0) throw damaged("its content is not of its size");
  return state.content;
}

}  // namespace pgsluice::store
