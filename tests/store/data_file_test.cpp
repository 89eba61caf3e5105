#include "store/data_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "base/digest.h"
#include "store/pump.h"

namespace pgsluice::store {
namespace {

TEST(AutomaticLevel, FollowsWhatAllWaitFor) {
  EXPECT_EQ(next_level(3, 0, 2, false), 4);  // the source
  EXPECT_EQ(next_level(3, 2, 2, true), 4);   // the disk
  EXPECT_EQ(next_level(3, 2, 2, false), 2);  // the compression
  EXPECT_EQ(next_level(3, 1, 2, false), 3);
  EXPECT_EQ(next_level(9, 0, 2, true), 9);
  EXPECT_EQ(next_level(1, 2, 2, false), 1);
}

namespace fs = std::filesystem;

std::vector<Frame> some_frames() {
  return {{.stored = 10, .content = 100, .rows = 3, .digest = digest_of("a")},
          {.stored = 2'000'000, .content = kFrameContent, .rows = 0, .digest = digest_of("b")}};
}

TEST(FrameIndex, IsReadAsItIsWritten) {
  EXPECT_EQ(decode_index(encode_index(some_frames()), "x"), some_frames());
  EXPECT_EQ(decode_index(encode_index({}), "x"), std::vector<Frame>());
}

TEST(FrameIndex, AnyChangedOrMissingByteIsSeen) {
  const std::string index = encode_index(some_frames());
  for (std::size_t at = 0; at < index.size(); ++at) {
    std::string changed = index;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_THROW(decode_index(changed, "x"), Error) << at;
    EXPECT_THROW(decode_index(std::string_view(index).substr(0, at), "x"), Error) << at;
  }
}

TEST(FrameIndex, AFrameLargerThanAnyIsRefused) {
  EXPECT_THROW(decode_index(encode_index({{.stored = 1, .content = kFrameContent + 1}}), "x"), Error);
}

class DataFiles : public ::testing::TestWithParam<const char*> {
 protected:
  fs::path path(const char* name) const { return folder_.path() / name; }
  static std::string content_of(const fs::path& file, const Compression& compression) {
    const std::string bytes = read_file(file);
    Decompressor decompressor(compression.algorithm);
    std::string content;
    std::size_t at = 0;
    for (const Frame& frame : read_index(file, compression.algorithm)) {
      content += decompressor.decompress(std::string_view(bytes).substr(at, frame.stored), frame.content);
      at += frame.stored;
    }
    return content;
  }

  TemporaryFolder folder_;
};

// Several frames a part, so that those of all parts are compressed at once and end in any order.
TEST_P(DataFiles, PartsAreJoinedInTheirOrder) {
  const Compression compression = parse_compression(GetParam());
  Pump pump(compression, 3);
  std::string expected;
  std::vector<WrittenPart> parts;
  for (int part = 0; part < 3; ++part) {
    std::string content;
    for (int i = 0; i < 400'000; ++i) content += std::to_string(part * 1'000'000 + i) + "\trow\n";
    DataStream stream(pump, path("file.part-") += std::to_string(part));
    // Cut anywhere.
    for (std::size_t at = 0; at < content.size(); at += 77'777) {
      stream.write(std::string_view(content).substr(at, 77'777));
    }
    parts.push_back(stream.finish());
    expected += content;
  }
  const std::uintmax_t size = join_parts(path("file"), parts, compression.algorithm);
  EXPECT_EQ(size, fs::file_size(path("file")));
  EXPECT_EQ(content_of(path("file"), compression), expected);
  EXPECT_FALSE(fs::exists(path("file.part-0")));
  EXPECT_FALSE(fs::exists(path("file.part-2")));
  EXPECT_EQ(fs::status(path("file")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  std::size_t rows = 0;
  for (const Frame& frame : read_index(path("file"), compression.algorithm)) rows += frame.rows;
  EXPECT_EQ(rows, 1'200'000U);
}

TEST_P(DataFiles, AnEmptyPartIsAFile) {
  const Compression compression = parse_compression(GetParam());
  Pump pump(compression, 1);
  DataStream stream(pump, path("file.part-0"));
  join_parts(path("file"), {stream.finish()}, compression.algorithm);
  EXPECT_EQ(content_of(path("file"), compression), "");
}

TEST_P(DataFiles, AFileThatIsCutOffOrLongerIsSeen) {
  const Compression compression = parse_compression(GetParam());
  Pump pump(compression, 1);
  DataStream stream(pump, path("file.part-0"));
  stream.write(std::string(3'000'000, 'x'));
  join_parts(path("file"), {stream.finish()}, compression.algorithm);
  const std::string whole = read_file(path("file"));
  for (const std::string& changed : {whole.substr(0, whole.size() - 1), whole.substr(1), whole + "x", std::string()}) {
    std::ofstream(path("file"), std::ios::binary | std::ios::trunc) << changed;
    EXPECT_THROW(read_index(path("file"), compression.algorithm), Error);
  }
}

// A full disk, in small: the process may not write files of more than 4 MB.
TEST(FullDisk, EndsAllStreams) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "large";
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{.rlim_cur = 4U << 20U, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  {
    Pump pump({schema::ArchiveCompression::kNone, 0}, 2);
    DataStream large(pump, file);
    DataStream other(pump, folder.path() / "other");
    const std::string megabyte(1U << 20U, 'x');
    try {
      for (int i = 0; i < 100; ++i) large.write(megabyte);
      large.finish();
    } catch (const Error& error) {
      message = error.what();
    }
    EXPECT_THROW(
        {
          other.write(std::string(2 * kFrameContent, 'y'));
          other.finish();
        },
        Error);
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_NE(message.find("cannot write " + file.string()), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(All, DataFiles, ::testing::Values("zstd:1", "gzip:1", "none"),
                         [](const auto& tested) { return std::string(tested.param).substr(0, 4); });

}  // namespace
}  // namespace pgsluice::store
