// A database that none of us made: Zabbix's schema and data, from Debian's package zabbix-server-pgsql.
#include <gtest/gtest.h>

#include "tests/pipeline/clone_fixture.h"
#include "tests/support/downloads.h"

namespace pgsluice::pipeline {
namespace {

class RealDatabase : public test::CloneFixture {};

TEST_F(RealDatabase, ZabbixComesOutEqual) {
  const std::filesystem::path folder = test::download("zabbix");
  if (folder.empty()) GTEST_SKIP() << test::kNoDownloads;
  test::shared_source().create_database("zabbix");
  test::shared_target().create_database("zabbix");
  for (const char* file : {"schema.sql.gz", "images.sql.gz", "data.sql.gz"}) {
    const SubprocessResult loaded = run_command(
        {.command =
             {"sh", "-c",
              "gzip -dc \"$1\" | \"$2\" --no-psqlrc --quiet --output=/dev/null --set=ON_ERROR_STOP=1 --dbname=\"$3\"",
              "load", (folder / "usr/share/zabbix-server-pgsql" / file).string(),
              (test::server_bindir() / "psql").string(), test::shared_source().conninfo("zabbix")},
         .environment = {{"PGOPTIONS", "-c synchronous_commit=off"}}});
    ASSERT_EQ(loaded.exit_code, 0) << loaded.errors;
  }
  const CloneSummary summary = clone("zabbix");
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_GT(summary.tables.size(), 150U);
  EXPECT_GT(summary.rows, 100000);
  EXPECT_EQ(differences("zabbix"), std::vector<std::string>{});
}

}  // namespace
}  // namespace pgsluice::pipeline
