#include "store/compression.h"

#include <gtest/gtest.h>

#include "pgsluice/error.h"

namespace pgsluice::store {
namespace {

using schema::ArchiveCompression;

TEST(Compression, IsReadAsItIsWritten) {
  for (const char* text : {"zstd:1", "zstd:19", "auto", "gzip:1", "gzip:9", "none"}) {
    EXPECT_EQ(parse_compression(text).text(), text);
  }
  EXPECT_EQ(parse_compression("zstd").text(), "zstd:3");
  EXPECT_EQ(parse_compression("gzip").text(), "gzip:6");
}

TEST(Compression, AnotherTextIsRefused) {
  for (const char* text :
       {"", "zstd:", "zstd:0", "zstd:20", "zstd:3x", "gzip:10", "auto:3", "lz4", "none:1", "ZSTD", "3"}) {
    EXPECT_THROW(parse_compression(text), Error) << text;
  }
}

class EachCompression : public ::testing::TestWithParam<const char*> {};

std::string long_text() {
  std::string text;
  for (int i = 0; i < 50000; ++i) text += std::to_string(i * 7919 % 10007) + "\tabc\\N\n";
  return text;
}

TEST_P(EachCompression, GivesBackWhatItTook) {
  const Compression compression = parse_compression(GetParam());
  Compressor compressor(compression);
  Decompressor decompressor(compression.algorithm);
  for (const std::string& content : {long_text(), std::string(), std::string("\0x\0", 3), long_text()}) {
    const std::string frame(compressor.compress(content));
    EXPECT_EQ(decompressor.decompress(frame, content.size()), content);
  }
}

TEST(Compression, ALevelMayChangeBetweenFrames) {
  Compressor compressor(parse_compression("auto"));
  Decompressor decompressor(ArchiveCompression::kZstd);
  std::size_t before = 0;
  for (const int level : {1, 9, 1}) {
    compressor.set_level(level);
    const std::string frame(compressor.compress(long_text()));
    EXPECT_EQ(decompressor.decompress(frame, long_text().size()), long_text());
    EXPECT_NE(frame.size(), before);
    before = frame.size();
  }
}

TEST_P(EachCompression, AFrameOfAnotherSizeIsRefused) {
  const Compression compression = parse_compression(GetParam());
  Compressor compressor(compression);
  Decompressor decompressor(compression.algorithm);
  const std::string content = long_text();
  const std::string frame(compressor.compress(content));
  for (const std::size_t size : {content.size() - 1, content.size() + 1, std::size_t{0}}) {
    EXPECT_THROW(decompressor.decompress(frame, size), Error) << size;
  }
  EXPECT_THROW(decompressor.decompress(std::string_view(frame).substr(0, frame.size() - 1), content.size()), Error);
  EXPECT_EQ(decompressor.decompress(frame, content.size()), content) << "a refused frame spoils the next";
}

INSTANTIATE_TEST_SUITE_P(All, EachCompression, ::testing::Values("zstd:3", "gzip:6", "none"),
                         [](const auto& tested) { return std::string(tested.param).substr(0, 4); });

}  // namespace
}  // namespace pgsluice::store
