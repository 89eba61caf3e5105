#include "store/tar_stream.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

#include "base/file_descriptor.h"
#include "base/subprocess.h"
#include "pgsluice/error.h"
#include "store/manifest.h"
#include "tests/support/wait_until.h"

namespace pgsluice::store {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class TarStreamTest : public ::testing::Test {
 protected:
  static FileDescriptor open_to_read(const fs::path& file) {
    return FileDescriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  }
  // A tar of these files.
  fs::path write(const std::vector<std::pair<std::string, std::string>>& files) {
    fs::path tar = folder_.path() / "tar";
    const FileDescriptor out(::open(tar.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    TarWriter writer(out.get(), {});
    for (const auto& [name, content] : files) {
      write_file(folder_.path() / "one", content);
      writer.add(name, folder_.path() / "one");
    }
    writer.finish();
    return tar;
  }
  fs::path target() {
    fs::path folder = folder_.path() / "unpacked";
    fs::remove_all(folder);
    fs::create_directory(folder);
    return folder;
  }
  std::string error_of(const fs::path& tar) {
    try {
      receive_archive(open_to_read(tar).get(), target(), {});
    } catch (const Error& error) {
      return error.describe();
    }
    return "";
  }

  TemporaryFolder folder_;
};

TEST_F(TarStreamTest, FilesComeOutAsTheyWentIn) {
  const std::string large(3'000'000, 'x');
  const fs::path tar = write({{"toc.dat", "toc"}, {"7.dat.zst", large}, {"empty.dat", ""}, {kManifestFile, "{}"}});
  const fs::path folder = target();
  EXPECT_EQ(receive_archive(open_to_read(tar).get(), folder, {}), folder);
  EXPECT_EQ(read_file(folder / "toc.dat"), "toc");
  EXPECT_EQ(read_file(folder / "7.dat.zst"), large);
  EXPECT_EQ(read_file(folder / "empty.dat"), "");
  EXPECT_EQ(fs::status(folder / "toc.dat").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

// The tar is anybody's, and so may be the one that is read.
TEST_F(TarStreamTest, GnuTarReadsItAndWritesOne) {
  const fs::path tar = write({{"toc.dat", "toc"}, {kManifestFile, "{}"}});
  const fs::path folder = target();
  const SubprocessResult read = run_command({.command = {"tar", "-xf", tar.string(), "-C", folder.string()}});
  EXPECT_EQ(read.exit_code, 0) << read.errors;
  EXPECT_EQ(read_file(folder / "toc.dat"), "toc");
  for (const char* format : {"gnu", "pax", "ustar"}) {
    const fs::path theirs = folder_.path() / "theirs";
    const SubprocessResult written =
        run_command({.command = {"tar", "-cf", theirs.string(), "--format", format, "-C", folder.string(), "."}});
    ASSERT_EQ(written.exit_code, 0) << written.errors;
    const fs::path again = folder_.path() / "again";
    fs::remove_all(again);
    fs::create_directory(again);
    receive_archive(open_to_read(theirs).get(), again, {});
    EXPECT_EQ(read_file(again / "toc.dat"), "toc") << format;
  }
}

TEST_F(TarStreamTest, OneThatIsCutOffIsRefusedWhereverItIsCut) {
  const fs::path tar = write({{"toc.dat", "toc"}, {"7.dat.zst", std::string(20'000, 'x')}, {kManifestFile, "{}"}});
  // The manifest's three blocks, and the end's two.
  const std::uintmax_t whole = fs::file_size(tar);
  for (std::uintmax_t size = 0; size + 3 * 512 < whole; size += 97) {
    fs::resize_file(tar, whole);
    fs::copy_file(tar, folder_.path() / "cut", fs::copy_options::overwrite_existing);
    fs::resize_file(folder_.path() / "cut", size);
    EXPECT_NE(error_of(folder_.path() / "cut"), "") << size;
  }
}

TEST_F(TarStreamTest, WhatNoArchiveHasIsRefused) {
  for (const char* name : {"../outside", "/etc/outside", "a/b", ".hidden", "..", "a/../../x"}) {
    EXPECT_THAT(error_of(write({{name, "x"}, {kManifestFile, "{}"}})), HasSubstr("no archive of pgsluice")) << name;
    EXPECT_FALSE(fs::exists(folder_.path() / "outside"));
  }
  EXPECT_THAT(error_of(write({{"a", "1"}, {"a", "2"}, {kManifestFile, "{}"}})), HasSubstr("File exists"));
  EXPECT_THAT(error_of(write({{"a", "1"}})), HasSubstr("has no pgsluice.json"));
  // A link, by which the next file would be written elsewhere.
  const fs::path linked = folder_.path() / "linked";
  fs::create_directory(linked);
  fs::create_symlink("/etc", linked / "link");
  run_command({.command = {"tar", "-cf", (folder_.path() / "links").string(), "-C", linked.string(), "link"}});
  EXPECT_THAT(error_of(folder_.path() / "links"), HasSubstr("no archive of pgsluice"));
  write_file(folder_.path() / "text", std::string(5000, 'z'));
  EXPECT_NE(error_of(folder_.path() / "text"), "");
  write_file(folder_.path() / "text", "");
  EXPECT_THAT(error_of(folder_.path() / "text"), HasSubstr("the stream is empty"));
}

TEST_F(TarStreamTest, ACustomArchiveIsKeptAsItCame) {
  const std::string dump = "PGDMP" + std::string(600'000, 'd');
  write_file(folder_.path() / "dump", dump);
  const fs::path folder = target();
  const fs::path kept = receive_archive(open_to_read(folder_.path() / "dump").get(), folder, {});
  EXPECT_EQ(read_file(kept), dump);
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    reading = FileDescriptor(ends[0]);
    writing = FileDescriptor(ends[1]);
  }
  bool is_full() const {
    pollfd room{.fd = writing.get(), .events = POLLOUT, .revents = 0};
    return ::poll(&room, 1, 0) == 0;
  }
  bool is_empty() const {
    pollfd bytes{.fd = reading.get(), .events = POLLIN, .revents = 0};
    return ::poll(&bytes, 1, 0) == 0;
  }
  FileDescriptor reading;
  FileDescriptor writing;
};

// Who reads the other end may never do so.
TEST_F(TarStreamTest, ACancellationEndsAWriterThatWaits) {
  const Pipe pipe;
  write_file(folder_.path() / "one", std::string(1'000'000, 'x'));
  CancelSource cancel;
  const std::jthread canceller([&] {
    EXPECT_TRUE(test::wait_until([&] { return pipe.is_full(); }));
    cancel.cancel();
  });
  try {
    TarWriter writer(pipe.writing.get(), cancel.token());
    writer.add("one", folder_.path() / "one");
    writer.finish();
    ADD_FAILURE() << "it was written";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled) << error.describe();
  }
}

TEST_F(TarStreamTest, ACancellationEndsAReaderThatWaits) {
  const Pipe pipe;
  write_whole(pipe.writing.get(), "P", "pipe");
  CancelSource cancel;
  const std::jthread canceller([&] {
    EXPECT_TRUE(test::wait_until([&] { return pipe.is_empty(); }));
    cancel.cancel();
  });
  try {
    receive_archive(pipe.reading.get(), target(), cancel.token());
    ADD_FAILURE() << "it was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled) << error.describe();
  }
}

}  // namespace
}  // namespace pgsluice::store
