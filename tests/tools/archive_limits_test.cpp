// Archives of what is large or many, with little memory, on a disk that is full, by users without rights of their own.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/support/database_comparison.h"
#include "tests/support/peak_memory.h"
#include "tests/tools/command_fixture.h"

namespace pgsluice::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ArchiveLimitsTest : public CommandTest {
 protected:
  // Where the servers are, in memory if there is room: some file systems take a minute to remove so many files.
  static std::string archive() { return (shared_target().folder() / "archive").string(); }
  void TearDown() override { fs::remove_all(archive()); }
  std::vector<std::string> create(std::vector<std::string> more = {}) const {
    std::vector<std::string> command = {PGSLUICE_PROGRAM, "archive", "create", "--to", archive(), "-q"};
    if (more.empty()) more = {"--source", shared_source().conninfo("command")};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }
  std::vector<std::string> restore() const {
    return {PGSLUICE_PROGRAM,
            "archive",
            "restore",
            "--from",
            archive(),
            "--target",
            shared_target().conninfo("command"),
            "--dir",
            folder_.path() / "work",
            "-q"};
  }
  static std::vector<std::string> differences() {
    return compare_databases(shared_source().conninfo("command"), shared_target().conninfo("command"), server_bindir());
  }
};

TEST_F(ArchiveLimitsTest, ManyTablesAndLargeObjectsComeThroughWithLittleMemory) {
  make(
      "DO $$ BEGIN FOR i IN 1..2000 LOOP EXECUTE format('CREATE TABLE t%s (a int PRIMARY KEY)', i);"
      " EXECUTE format('INSERT INTO t%s SELECT generate_series(1, 3)', i); IF i % 100 = 0 THEN COMMIT; END IF;"
      " END LOOP; END $$");
  shared_source().sql("command",
                      "SELECT count(lo_from_bytea(0, convert_to(g::text, 'UTF8'))) FROM generate_series(1, 10000) g");
  constexpr std::int64_t kMostKilobytes = 160 * 1024;
  const MeasuredRun made = run_measured({.command = create()});
  ASSERT_EQ(made.result.exit_code, 0) << made.result.errors;
  EXPECT_THAT(made.result.output, HasSubstr("6000 rows of 2000 tables, 10000 large objects"));
  EXPECT_TRUE(made.peak_kilobytes < kMostKilobytes || !kMemoryIsItsOwn) << made.peak_kilobytes;
  std::vector<std::string> verifying = restore();
  verifying.emplace_back("--verify");
  const MeasuredRun restored = run_measured({.command = verifying});
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.errors;
  EXPECT_TRUE(restored.peak_kilobytes < kMostKilobytes || !kMemoryIsItsOwn) << restored.peak_kilobytes;
  for (const char* same : {"SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]+(_pkey)?$'",
                           "SELECT count(*) || md5(string_agg(oid || encode(lo_get(oid), 'escape'), ',' ORDER BY oid))"
                           " FROM pg_largeobject_metadata"}) {
    EXPECT_EQ(shared_target().value("command", same), shared_source().value("command", same)) << same;
  }
}

// Whatever the size of a row: pieces of it travel.
TEST_F(ArchiveLimitsTest, ARowOf160MegabytesTakesNoMemory) {
  make("CREATE TABLE wide (a int, b text); CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES");
  shared_source().sql("command", "INSERT INTO wide SELECT 1, repeat(md5('x'), 5000000)");
  constexpr std::int64_t kMostKilobytes = 64 * 1024;
  const MeasuredRun made = run_measured({.command = create()});
  ASSERT_EQ(made.result.exit_code, 0) << made.result.errors;
  EXPECT_TRUE(made.peak_kilobytes < kMostKilobytes || !kMemoryIsItsOwn) << made.peak_kilobytes;
  const MeasuredRun restored = run_measured({.command = restore()});
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.errors;
  EXPECT_TRUE(restored.peak_kilobytes < kMostKilobytes || !kMemoryIsItsOwn) << restored.peak_kilobytes;
  const std::string row = "SELECT length(b) || md5(b) FROM wide";
  EXPECT_EQ(shared_target().value("command", row), shared_source().value("command", row));
  EXPECT_EQ(shared_target().value("command", "SELECT count(*) FROM no_columns"), "1");
}

TEST_F(ArchiveLimitsTest, AFullDiskIsNamedAndOnceThereIsRoomTheArchiveIsCompleted) {
  make(
      "CREATE TABLE t AS SELECT g AS id, md5(g::text) AS a, md5((-g)::text) AS b FROM generate_series(1, 150000) g;"
      "CREATE TABLE u AS SELECT g AS id, md5(g::text) AS a FROM generate_series(1, 20000) g");
  const std::string disk = (folder_.path() / "disk").string();
  fs::create_directory(disk);
  const auto mount = [&](const std::string& options) {
    return run_command({.command = {"mount", "-t", "tmpfs", "-o", options, "pgsluice-test", disk}}).exit_code == 0;
  };
  if (!mount("size=3m")) GTEST_SKIP() << "NOT TESTED: a small disk can only be mounted by root, and not everywhere";
  std::vector<std::string> command = {PGSLUICE_PROGRAM,
                                      "archive",
                                      "create",
                                      "--source",
                                      shared_source().conninfo("command"),
                                      "--to",
                                      disk + "/archive",
                                      "--split-at",
                                      "2 MB",
                                      "--table-jobs",
                                      "2"};
  const SubprocessResult full = run_command({.command = command});
  EXPECT_EQ(full.exit_code, 2) << full.errors;
  EXPECT_THAT(full.errors, HasSubstr("No space left on device"));
  EXPECT_THAT(full.errors, HasSubstr("--resume to go on"));
  EXPECT_TRUE(mount("remount,size=64m"));
  command.emplace_back("--resume");
  const SubprocessResult completed = run_command({.command = command});
  EXPECT_EQ(completed.exit_code, 0) << completed.errors;
  EXPECT_THAT(completed.errors, HasSubstr("going on with an archive that was begun"));
  const SubprocessResult verified = run({"archive", "verify", disk + "/archive"});
  EXPECT_EQ(verified.exit_code, 0) << verified.output << verified.errors;
  EXPECT_EQ(run_command({.command = {"umount", disk}}).exit_code, 0);
}

// Neither of the two may do more than own his database; and what he has made only he may read.
TEST_F(ArchiveLimitsTest, OwnersOfTheirDatabasesNeedNoOtherRights) {
  for (const Cluster* server : {&shared_source(), &shared_target()}) {
    server->create_database("command");
    server->sql("postgres", "DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN NOSUPERUSER");
    server->create_database("command", "TEMPLATE template0 OWNER plain");
    if (server->value("command", "SELECT current_setting('server_version_num')::int >= 150000") == "t") {
      server->sql("command", "ALTER SCHEMA public OWNER TO plain");
    }
  }
  shared_source().sql("command",
                      "SET ROLE plain; CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 1000) g;"
                      "CREATE SEQUENCE s; SELECT nextval('s'); SELECT lo_from_bytea(4711, 'x');"
                      "CREATE TABLE hidden (a int); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY");
  const SubprocessResult made =
      run_command({.command = create({"--source", shared_source().conninfo("command", "plain")})});
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  EXPECT_EQ(fs::status(archive()).permissions(), fs::perms::owner_all);
  for (const fs::directory_entry& file : fs::directory_iterator(archive())) {
    EXPECT_EQ(file.status().permissions(), fs::perms::owner_read | fs::perms::owner_write) << file.path();
  }
  std::vector<std::string> restoring = restore();
  restoring[6] = shared_target().conninfo("command", "plain");
  const SubprocessResult restored = run_command({.command = restoring});
  EXPECT_EQ(restored.exit_code, 0) << restored.errors;
  EXPECT_THAT(differences(), IsEmpty());
  for (const Cluster* server : {&shared_source(), &shared_target()}) {
    server->create_database("command");
    server->sql("postgres", "DROP ROLE plain");
  }
}

}  // namespace
}  // namespace pgsluice::test
