#include "store/stream_decompressor.h"

#include <gtest/gtest.h>
#include <lz4frame.h>
#include <zlib.h>

#include <random>
#include <string>

#include "store/compression.h"

namespace pgsluice::store {
namespace {

using schema::ArchiveCompression;

std::string some_text(std::size_t size) {
  std::mt19937 random(3);
  std::string text;
  while (text.size() < size) text += std::to_string(random() % 100000) + "\t\\N\n";
  return text;
}

std::string zlib_of(const std::string& content) {
  uLongf size = ::compressBound(content.size());
  std::string result(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(result.data()), &size, reinterpret_cast<const Bytef*>(content.data()),
             content.size());
  result.resize(size);
  return result;
}

std::string lz4_of(const std::string& content) {
  std::string result(LZ4F_compressFrameBound(content.size(), nullptr), '\0');
  result.resize(LZ4F_compressFrame(result.data(), result.size(), content.data(), content.size(), nullptr));
  return result;
}

std::string compressed(const char* kind, const std::string& content) {
  const std::string name = kind;
  if (name == "zlib") return zlib_of(content);
  if (name == "lz4") return lz4_of(content);
  Compressor compressor(parse_compression(name));
  return std::string(compressor.compress(content));
}

ArchiveCompression compression_of(const std::string& name) {
  if (name == "zlib" || name == "gzip") return ArchiveCompression::kGzip;
  if (name == "lz4") return ArchiveCompression::kLz4;
  return name == "zstd" ? ArchiveCompression::kZstd : ArchiveCompression::kNone;
}

class StreamTest : public ::testing::TestWithParam<const char*> {
 protected:
  static std::string decompress(const std::string& stream, std::size_t piece) {
    StreamDecompressor decompressor(compression_of(GetParam()));
    std::string content;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      decompressor.add(std::string_view(stream).substr(at, piece), [&](std::string_view part) {
        EXPECT_FALSE(part.empty());
        content += part;
      });
    }
    decompressor.finish();
    return content;
  }
};

TEST_P(StreamTest, GivesTheContentHoweverItComes) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{256 * 1024}, std::size_t{3'000'000}}) {
    const std::string content = some_text(size).substr(0, size);
    const std::string stream = compressed(GetParam(), content);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{4096}, std::size_t{10'000'000}}) {
      if (piece == 1 && size > 300'000) continue;
      EXPECT_TRUE(decompress(stream, piece) == content) << size << " bytes in pieces of " << piece;
    }
  }
}

TEST_P(StreamTest, StreamsOneAfterAnotherAreOne) {
  const std::string one = some_text(500'000);
  const std::string other = some_text(700'000);
  EXPECT_TRUE(decompress(compressed(GetParam(), one) + compressed(GetParam(), other), 5000) == one + other);
}

TEST_P(StreamTest, NothingIsNothing) { EXPECT_EQ(decompress("", 1), ""); }

TEST_P(StreamTest, WhatIsCutOffOrDamagedIsRefused) {
  if (compression_of(GetParam()) == ArchiveCompression::kNone) return;  // its bytes say nothing of themselves
  const std::string stream = compressed(GetParam(), some_text(1'000'000));
  for (const std::size_t size : {std::size_t{3}, stream.size() / 2, stream.size() - 1}) {
    EXPECT_THROW(decompress(stream.substr(0, size), 4096), DamagedStream) << size;
  }
  std::string other = stream;
  other[0] = static_cast<char>(other[0] ^ 0x55);
  EXPECT_THROW(decompress(other, 4096), DamagedStream);
}

INSTANTIATE_TEST_SUITE_P(All, StreamTest, ::testing::Values("none", "gzip", "zlib", "lz4", "zstd"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace pgsluice::store
