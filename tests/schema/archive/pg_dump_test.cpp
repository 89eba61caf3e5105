#include "schema/archive/pg_dump.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "base/file_descriptor.h"
#include "pg/snapshot.h"
#include "pgsluice/error.h"
#include "tests/support/cluster.h"

namespace pgsluice::schema {
namespace {

namespace fs = std::filesystem;

void write_program(const fs::path& folder, const std::string& version) {
  const fs::path path = folder / "pg_dump";
  std::ofstream(path) << "#!/bin/sh\necho 'pg_dump (PostgreSQL) " << version << "'\n";
  fs::permissions(path, fs::perms::owner_all);
}

TEST(FindPgDump, ComparesVersionsAcrossTheChangeOfNumbering) {
  const TemporaryFolder folder;
  write_program(folder.path(), "9.6.24");
  EXPECT_EQ(find_client_program(folder.path(), 90500, {}).release, 906);
  EXPECT_THROW(find_client_program(folder.path(), 100000, {}), Error);
  write_program(folder.path(), "18beta1");
  EXPECT_EQ(find_client_program(folder.path(), 180000, {}).release, 1800);
}

TEST(FindPgDump, AnOlderOneIsRefusedWithBothVersions) {
  const TemporaryFolder folder;
  write_program(folder.path(), "14.9 (Debian 14.9-1)");
  try {
    find_client_program(folder.path(), 150018, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConfig);
    EXPECT_NE(error.describe().find("14.9"), std::string::npos);
    EXPECT_NE(error.describe().find("15"), std::string::npos);
    EXPECT_TRUE(error.has(Remedy::kNameClientPrograms));
  }
}

TEST(FindPgDump, AMissingOneIsNamedWithTheFolder) {
  const TemporaryFolder folder;
  try {
    find_client_program(folder.path(), 150018, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.describe().find(folder.path().string()), std::string::npos);
  }
}

TEST(FindPgDump, IsFoundWithoutBeingNamed) {
  const ClientProgram found = find_client_program(std::nullopt, 100000, {});
  EXPECT_GE(found.release, 1000);
  EXPECT_NE(fs::canonical(found.path).filename(), "pg_wrapper");
}

TEST(RunPgDump, SaysWhatPgDumpSaid) {
  const DumpRequest request{.program = find_client_program(std::nullopt, 100000, {}),
                            .source = pg::ConnInfo::parse(test::shared_source().conninfo("postgres"), Side::kSource),
                            .snapshot = "00000000-00000000-1",
                            .encoding = "UTF8"};
  try {
    run_pg_dump(request, Log(), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.side(), Side::kSource);
    EXPECT_NE(error.describe().find("00000000-00000000-1"), std::string::npos) << error.describe();
  }
}

TEST(RunPgDump, ThatHasLostItsSessionIsToldFromOneThatMayNot) {
  test::shared_source().create_database("lost");
  test::shared_source().sql("lost", "CREATE TABLE t (i int)");
  pg::Connection other = test::shared_source().connect("lost");
  other.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
  pg::Connection holder = test::shared_source().connect("lost");
  const DumpRequest request{.program = find_client_program(std::nullopt, 100000, {}),
                            .source = pg::ConnInfo::parse(test::shared_source().conninfo("lost"), Side::kSource),
                            .snapshot = pg::export_snapshot(holder).name,
                            .encoding = "UTF8"};
  const std::jthread killer([](const std::stop_token& stop) {
    const std::string terminated =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE application_name = 'pgsluice: pg_dump' AND wait_event_type = 'Lock'";
    while (!stop.stop_requested() && test::shared_source().value("lost", terminated) == "0") {
    }
  });
  try {
    run_pg_dump(request, Log(), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConnection) << error.describe();
    EXPECT_EQ(error.side(), Side::kSource);
    EXPECT_EQ(error.describe().find("grant USAGE"), std::string::npos);
  }
}

// In PgBouncer's words.
TEST(RunPgDump, APoolerThatRefusesOptionsIsAskedWithoutThem) {
  const TemporaryFolder folder;
  const fs::path program = folder.path() / "pg_dump";
  std::ofstream(program) << "#!/bin/sh\ncase \"$*\" in *lc_monetary*) echo 'pg_dump: error: FATAL:  unsupported startup"
                            " parameter: options' >&2; exit 1 ;; esac\n";
  fs::permissions(program, fs::perms::owner_all);
  const DumpRequest request{.program = {.path = program},
                            .source = pg::ConnInfo::parse(test::shared_source().conninfo("postgres"), Side::kSource),
                            .encoding = "UTF8"};
  const std::vector<std::string> warnings = run_pg_dump(request, Log(), {}).warnings;
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find("lc_monetary"), std::string::npos);
}

TEST(RunPgDump, ItsWarningsAreSeenWhateverTheUsersLanguage) {
  const TemporaryFolder folder;
  const fs::path program = folder.path() / "pg_dump";
  std::ofstream(program)
      << "#!/bin/sh\ncase $LC_ALL in C) echo 'pg_dump: warning: left out' ;; *) echo 'pg_dump: Warnung:"
         " ausgelassen' ;; esac >&2\n";
  fs::permissions(program, fs::perms::owner_all);
  const DumpRequest request{.program = {.path = program},
                            .source = pg::ConnInfo::parse(test::shared_source().conninfo("postgres"), Side::kSource),
                            .encoding = "UTF8"};
  ::setenv("LC_ALL", "de_DE.UTF-8", 1);
  const std::vector<std::string> warnings = run_pg_dump(request, Log(), {}).warnings;
  ::unsetenv("LC_ALL");
  EXPECT_EQ(warnings, std::vector<std::string>{"left out"});
}

}  // namespace
}  // namespace pgsluice::schema
