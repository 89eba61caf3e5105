#include "store/archive_data.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <random>

#include "base/digest.h"
#include "base/file_descriptor.h"
#include "copy/row_digest.h"
#include "store/pump.h"
#include "tests/schema/archive_builder.h"

namespace pgsluice::store {
namespace {

namespace fs = std::filesystem;
using copy::RangeBounds;

constexpr std::string_view kEnd = "\\.\n\n\n";

RangeBounds frames(std::optional<std::int64_t> from, std::optional<std::int64_t> to) {
  return {.by = std::string(copy::kByFrames), .from = from, .to = to};
}

// Rows of up to several frames each, so that every part of some begins and ends in the middle of one.
std::string some_rows(std::size_t size, std::size_t longest) {
  std::mt19937 random(7);
  std::string rows;
  while (rows.size() < size) {
    rows += std::string(random() % longest, static_cast<char>('a' + random() % 26)) + "\n";
  }
  return rows;
}

class ArchiveDataTest : public ::testing::Test {
 protected:
  // An archive of one table, as pgsluice writes it.
  void write(const std::string& rows, bool with_manifest = true) { write_parts({rows}, with_manifest); }

  void write_parts(const std::vector<std::string>& parts, bool with_manifest = true) {
    std::string rows;
    for (const std::string& part : parts) rows += part;
    test::ArchiveBuilder toc(14);
    toc.format = 3;
    toc.entry({.dump_id = 7,
               .catalog_id = {schema::kPgClass, 4711},
               .tag = "t",
               .kind = schema::EntryKind("TABLE DATA"),
               .schema = "public",
               .has_data = true,
               .copy_statement = "COPY public.t (a) FROM stdin;\n",
               .data_file = "7.dat"},
              3);
    write_file(folder() / kTocFile, toc.bytes());
    const Compression compression{schema::ArchiveCompression::kZstd, 1};
    std::vector<WrittenPart> written;
    {
      Pump pump(compression, 2);
      for (std::size_t i = 0; i < parts.size(); ++i) {
        DataStream stream(pump, folder() / fmt::format("7.dat.zst.part-{}", i));
        stream.write(parts[i]);
        if (i + 1 == parts.size()) stream.write(kEnd);
        written.push_back(stream.finish());
      }
    }
    frames_.clear();
    for (const WrittenPart& part : written) frames_.insert(frames_.end(), part.frames.begin(), part.frames.end());
    const std::uintmax_t size = join_parts(folder() / "7.dat.zst", written, compression.algorithm);
    if (!with_manifest) return;
    copy::RowsDigest digest;
    digest.rows = std::count(rows.begin(), rows.end(), '\n');
    write_manifest({.compression = compression,
                    .small_files = {{kTocFile, digest_of(toc.bytes())}},
                    .tables = {{.schema = "public",
                                .name = "t",
                                .dump_id = 7,
                                .content = rows.size() + kEnd.size(),
                                .rows = digest,
                                .file = {"7.dat.zst", size, digest_of(encode_index(frames_))}}}},
                   folder());
  }

  const fs::path& folder() const { return folder_.path(); }

  std::string read(const RangeBounds& part = {}) const {
    const ArchiveData data(folder());
    std::string rows;
    data.read_rows(data.archive().entries.front(), part, [&](std::string_view piece) { rows += piece; });
    return rows;
  }

  std::string error_of(const RangeBounds& part = {}) const {
    try {
      read(part);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kConfig) << error.describe();
      return error.describe();
    }
    return "it was read";
  }

  TemporaryFolder folder_;
  std::vector<Frame> frames_;
};

TEST_F(ArchiveDataTest, RowsComeWithoutTheLineThatEndsThem) {
  for (const std::string& rows : {std::string(), std::string("1\n"), some_rows(5'000'000, 100)}) {
    write(rows);
    EXPECT_TRUE(read() == rows);
    fs::remove(folder() / kManifestFile);
    EXPECT_TRUE(read() == rows) << "as a stream that nothing is known of";
  }
}

// However a table is cut, each row is in one part and whole.
TEST_F(ArchiveDataTest, PartsHoldEachRowOnce) {
  for (const std::size_t longest : {std::size_t{30}, std::size_t{3'000'000}, std::size_t{9'000'000}}) {
    const std::string rows = some_rows(20'000'000, longest);
    write(rows);
    const auto count = static_cast<std::int64_t>(frames_.size());
    ASSERT_GE(count, 9);
    for (std::int64_t step = 1; step <= count; step += 2) {
      std::string all;
      for (std::int64_t from = 0; from < count; from += step) {
        const std::string part = read(frames(from == 0 ? std::nullopt : std::optional(from),
                                             from + step >= count ? std::nullopt : std::optional(from + step)));
        EXPECT_TRUE(part.empty() || part.back() == '\n') << "rows of up to " << longest << ", from frame " << from;
        all += part;
      }
      EXPECT_TRUE(all == rows) << "rows of up to " << longest << ", " << step << " frames a part";
    }
  }
}

// A part of the source's table that had no rows is a frame without content.
TEST_F(ArchiveDataTest, PartsWithoutRowsEndNothing) {
  const std::string rows = some_rows(5'000'000, 100);
  for (const std::vector<std::string>& parts : {std::vector<std::string>{"", rows},
                                                {"", "", rows},
                                                {rows, "", rows},
                                                {rows, ""},
                                                {"", ""},
                                                {"1\n", "", "2\n"}}) {
    std::string all;
    for (const std::string& part : parts) all += part;
    write_parts(parts);
    EXPECT_TRUE(read() == all);
    const auto count = static_cast<std::int64_t>(frames_.size());
    for (std::int64_t step = 1; step < count; ++step) {
      std::string read_in_parts;
      for (std::int64_t from = 0; from < count; from += step) {
        read_in_parts += read(frames(from == 0 ? std::nullopt : std::optional(from),
                                     from + step >= count ? std::nullopt : std::optional(from + step)));
      }
      EXPECT_TRUE(read_in_parts == all) << parts.size() << " parts, " << step << " frames at once";
    }
  }
}

// The line that ends the rows may itself be cut by a frame, in each of its places.
TEST_F(ArchiveDataTest, TheEndMayLieInTwoFrames) {
  for (std::size_t over = 0; over <= kEnd.size() + 1; ++over) {
    const std::string rows = std::string(kFrameContent - over - 1, 'x') + "\n";
    write(rows);
    EXPECT_TRUE(read() == rows) << over;
    EXPECT_TRUE(read(frames({}, 1)) + read(frames(1, {})) == rows) << over;
  }
}

TEST_F(ArchiveDataTest, AChangedFrameIsNamedAndNothingOfItIsHandedOn) {
  const std::string rows = some_rows(9'000'000, 100);
  write(rows);
  const fs::path file = folder() / "7.dat.zst";
  std::string bytes = read_file(file);
  bytes[frames_[0].stored + frames_[1].stored + frames_[2].stored / 2] ^= 0x20;
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  const ArchiveData data(folder());
  std::size_t taken = 0;
  EXPECT_THROW(
      data.read_rows(data.archive().entries.front(), {}, [&](std::string_view piece) { taken += piece.size(); }),
      Error);
  EXPECT_EQ(taken, 2 * kFrameContent);
  EXPECT_NE(error_of().find("frame 3 of 5 in 7.dat.zst"), std::string::npos) << error_of();
  EXPECT_TRUE(error_of(frames({}, 1)).find("it was read") == 0) << "the other frames are as they were";
}

TEST_F(ArchiveDataTest, WithoutAManifestAnEndThatIsMissingIsSeen) {
  write(some_rows(9'000'000, 100), false);
  const fs::path file = folder() / "7.dat.zst";
  const std::string whole = read_file(file);
  // Between two frames, where the compression sees nothing.
  for (const std::size_t size : {std::size_t{frames_[0].stored}, std::size_t{frames_[0].stored} + 1000}) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << whole.substr(0, size);
    EXPECT_NE(error_of().find("end"), std::string::npos) << error_of();
  }
  fs::remove(file);
  EXPECT_NE(error_of().find("missing"), std::string::npos) << error_of();
}

TEST_F(ArchiveDataTest, FilesThatWereDecompressedOrCompressedByOthersAreRead) {
  const std::string rows = some_rows(100'000, 100);
  write(rows, false);
  fs::remove(folder() / "7.dat.zst");
  write_file(folder() / "7.dat", rows + std::string(kEnd));
  EXPECT_TRUE(read() == rows);
}

TEST_F(ArchiveDataTest, ANameThatLeadsOutOfTheFolderIsRefused) {
  for (const char* name : {"../7.dat", "/etc/passwd", "a/b", "..", "."}) {
    test::ArchiveBuilder toc(14);
    toc.format = 3;
    toc.entry({.dump_id = 7, .kind = schema::EntryKind("TABLE DATA"), .has_data = true, .data_file = name}, 3);
    write_file(folder() / kTocFile, toc.bytes());
    try {
      const ArchiveData data(folder());
      ADD_FAILURE() << name << " was taken";
    } catch (const Error& error) {
      EXPECT_NE(error.describe().find("not in its folder"), std::string::npos) << error.describe();
    }
  }
}

TEST_F(ArchiveDataTest, WhatIsNoArchiveIsSaid) {
  const auto error_of_opening = [](const fs::path& path) {
    try {
      const ArchiveData data(path);
    } catch (const Error& error) {
      return error.describe();
    }
    return std::string("it was opened");
  };
  EXPECT_NE(error_of_opening(folder() / "nothing").find("there is no such archive"), std::string::npos);
  EXPECT_NE(error_of_opening(folder()).find("it has no toc.dat"), std::string::npos);
  write_file(folder() / "script.sql", "CREATE TABLE t ();\n");
  EXPECT_NE(error_of_opening(folder() / "script.sql").find("not an archive of pg_dump"), std::string::npos);
  write_file(folder() / "empty", "");
  EXPECT_NE(error_of_opening(folder() / "empty").find("ends too early"), std::string::npos)
      << error_of_opening(folder() / "empty");
  write("1\n");
  EXPECT_NE(error_of_opening(folder() / kTocFile).find("give the folder"), std::string::npos);
  write_file(folder() / kManifestFile, "{}");
  EXPECT_NE(error_of_opening(folder()).find("pgsluice.json cannot be read"), std::string::npos);
  // Reading these would wait for ever.
  for (const char* name : {kManifestFile, kTocFile, "7.dat.zst"}) {
    fs::remove(folder() / name);
    ASSERT_EQ(::mkfifo((folder() / name).c_str(), 0600), 0);
    EXPECT_NE(error_of_opening(folder()).find("is a pipe or a device"), std::string::npos) << name;
    EXPECT_THROW(read_manifest(folder()), Error);
    fs::remove(folder() / name);
  }
  EXPECT_NE(error_of_opening("/dev/zero").find("is a pipe or a device"), std::string::npos);
}

// Its maker was killed before it wrote the manifest, or the manifest was not copied.
TEST_F(ArchiveDataTest, AnArchiveOfPgsluiceWithoutItsManifestIsIncomplete) {
  write("1\n", false);
  EXPECT_EQ(read(), "1\n") << "as one of pg_dump's";
  for (const char* left : {kLockFile, kCatalogFile}) {
    write_file(folder() / left, "");
    EXPECT_NE(error_of().find("has not completed it"), std::string::npos) << error_of();
    fs::remove(folder() / left);
  }
}

// The table of contents of one archive beside the manifest of another.
TEST_F(ArchiveDataTest, AManifestOfAnotherArchiveIsRefused) {
  write("1\n");
  std::string toc = read_file(folder() / kTocFile);
  toc.replace(toc.find("FROM stdin"), 10, "FROM STDIN");
  write_file(folder() / kTocFile, toc);
  EXPECT_NE(error_of().find("not as it was written"), std::string::npos) << error_of();
}

}  // namespace
}  // namespace pgsluice::store
