#include "base/file_descriptor.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "pgsluice/error.h"

namespace pgsluice {
namespace {

TEST(WriteFile, WritesIntoNoFileOfOthers) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "token";
  const std::filesystem::path victim = folder.path() / "victim";
  std::ofstream(victim) << "precious";
  std::filesystem::create_symlink(victim, folder.path() / "token.new");
  write_file(file, "secret");
  EXPECT_EQ(read_file(victim), "precious");
  EXPECT_EQ(read_file(file), "secret");
  struct stat status {};
  ASSERT_EQ(::lstat(file.c_str(), &status), 0);
  EXPECT_TRUE(S_ISREG(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777U, 0600U);

  // One of any mode that was left there, or put.
  std::ofstream(folder.path() / "token.new") << "left";
  std::filesystem::permissions(folder.path() / "token.new", std::filesystem::perms::all);
  write_file(file, "another");
  EXPECT_EQ(read_file(file), "another");
  ASSERT_EQ(::lstat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST(WriteNewFile, LeavesAFileThatIsThere) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "file";
  EXPECT_TRUE(write_new_file(file, "first"));
  EXPECT_FALSE(write_new_file(file, "second"));
  EXPECT_EQ(read_file(file), "first");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  EXPECT_THROW(write_new_file(folder.path() / "no folder" / "file", "x"), Error);
}

TEST(WriteFile, SaysWhereItCannot) { EXPECT_THROW(write_file("/proc/no/file", "x"), Error); }

}  // namespace
}  // namespace pgsluice
