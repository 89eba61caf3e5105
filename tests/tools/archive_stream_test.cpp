// Archives by way of a pipe, and file by file to a command, as users type it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/support/database_comparison.h"
#include "tests/tools/command_fixture.h"

namespace pgsluice::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ArchiveStreamTest : public CommandTest {
 protected:
  void SetUp() override {
    make(
        "CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t SELECT g, repeat(md5(g::text), 20) FROM"
        " generate_series(1, 50000) g; CREATE TABLE u AS SELECT 1 AS a; SELECT lo_from_bytea(4711, 'x')");
  }

  SubprocessResult type(const std::string& line) {
    return run_command({.command = {"bash", "-c", "set -o pipefail; " + line},
                        .environment = {{"PGSLUICE_SOURCE_PGURI", shared_source().conninfo("command")},
                                        {"PGSLUICE_TARGET_PGURI", shared_target().conninfo("command")},
                                        {"PATH", fmt::format("{}:{}", fs::path(PGSLUICE_PROGRAM).parent_path().string(),
                                                             std::getenv("PATH"))},
                                        {"HERE", folder_.path().string()},
                                        {"TMPDIR", folder_.path().string()}}});
  }

  static std::vector<std::string> differences() {
    return compare_databases(shared_source().conninfo("command"), shared_target().conninfo("command"), server_bindir());
  }

  // All that was spooled is gone.
  void expect_nothing_is_spooled() const {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_.path())) {
      const std::string name = entry.path().filename().string();
      EXPECT_TRUE(name == "pgsluice" || name == "out" || name == "kept") << name;
    }
  }
};

TEST_F(ArchiveStreamTest, APipeCarriesADatabase) {
  const SubprocessResult result =
      type("pgsluice archive create --to - --split-at '4 MB' -q | pgsluice archive restore --from - --verify -q");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr("50001 rows of 2 tables, 1 large object"));
  EXPECT_THAT(differences(), IsEmpty());
  expect_nothing_is_spooled();
}

TEST_F(ArchiveStreamTest, SoDoesOneFromPgDump) {
  const SubprocessResult result = type(fmt::format(
      "{}/pg_dump -Fc \"$PGSLUICE_SOURCE_PGURI\" | pgsluice archive restore --from - -q", server_bindir().string()));
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(differences(), IsEmpty());
  expect_nothing_is_spooled();
}

TEST_F(ArchiveStreamTest, TarUnpacksIntoAnArchiveOfAnyCompression) {
  for (const char* compression : {"zstd", "gzip"}) {
    const SubprocessResult result = type(fmt::format(
        "rm -rf $HERE/out; mkdir $HERE/out; pgsluice archive create --to - --compress {} -q | tar -x -C $HERE/out && "
        "pgsluice archive verify $HERE/out",
        compression));
    EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
  }
}

TEST_F(ArchiveStreamTest, ACommandGetsEachFile) {
  const SubprocessResult result = type(
      "mkdir $HERE/out; pgsluice archive create --to 'cat >$HERE/out/%f' --compress gzip -q && pgsluice archive "
      "verify $HERE/out");
  EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
  expect_nothing_is_spooled();
  const SubprocessResult failed = type("pgsluice archive create --to 'echo no room for %f >&2; exit 3' -q");
  EXPECT_EQ(failed.exit_code, 2) << failed.errors;
  EXPECT_THAT(failed.errors, HasSubstr("has failed with 3: no room for "));
  expect_nothing_is_spooled();
}

// No row reaches the target from a stream that was not complete.
TEST_F(ArchiveStreamTest, AStreamThatIsCutOffIsRefused) {
  for (const char* bytes : {"0", "3", "700", "30000"}) {
    const SubprocessResult result = type(fmt::format(
        "pgsluice archive create --to - -q >$HERE/kept; head -c {} $HERE/kept | pgsluice archive restore --from -",
        bytes));
    EXPECT_EQ(result.exit_code, 2) << bytes << result.errors;
    EXPECT_THAT(result.errors, ::testing::AnyOf(HasSubstr("cut off"), HasSubstr("empty"), HasSubstr("tar"))) << bytes;
    EXPECT_EQ(shared_target().value("command", "SELECT count(*) FROM pg_class WHERE relname IN ('t', 'u')"), "0");
  }
}

TEST_F(ArchiveStreamTest, AReaderThatGoesEndsTheWriter) {
  const SubprocessResult result = type("pgsluice archive create --to - -q | head -c 1000 >/dev/null");
  EXPECT_EQ(result.exit_code, 2) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr("cannot write the stream"));
  expect_nothing_is_spooled();
}

TEST_F(ArchiveStreamTest, WhatAStreamCannotBeIsSaid) {
  EXPECT_THAT(type("pgsluice archive create --to - --resume -q >/dev/null").errors, HasSubstr("cannot be resumed"));
  EXPECT_THAT(type("pgsluice archive create --to - --all-databases -q >/dev/null").errors, HasSubstr("need a folder"));
}

}  // namespace
}  // namespace pgsluice::test
