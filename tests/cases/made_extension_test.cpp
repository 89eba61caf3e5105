// An extension whose script makes a table, puts a row into it and registers it as configuration. A server takes one
// from a folder of the test's since 18.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/cases/case_fixture.h"
#include "tests/support/wait_until.h"

namespace pgsluice::test {
namespace {

using ::testing::AnyOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// The sequence is a member, but is not registered: PostGIS's topology had it so.
constexpr const char* kScript =
    "CREATE TABLE jobs_config (id serial PRIMARY KEY, kind text);\n"
    "INSERT INTO jobs_config (id, kind) VALUES (1, 'of the extension');\n"
    "CREATE TABLE jobs_log (id int, line text);\n"
    "SELECT pg_catalog.pg_extension_config_dump('jobs_config', '');\n";

constexpr const char* kRows = "SELECT string_agg(concat_ws(' ', id, kind), ', ' ORDER BY id) FROM jobs_config";

class MadeExtension : public CaseTest {
 protected:
  void SetUp() override {
    if (!between(18, 18)) GTEST_SKIP() << kNoDownloads;
    for (const Cluster* server : {&source(), &target()}) install(*server);
    make("CREATE EXTENSION jobs; CREATE TABLE plain (i int); INSERT INTO plain VALUES (1)");
  }
  static void install(const Cluster& server) {
    const std::filesystem::path folder = server.folder() / "share/extension";
    if (std::filesystem::exists(folder)) return;
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "jobs.control") << "default_version = '1.0'\nrelocatable = true\n";
    std::ofstream(folder / "jobs--1.0.sql") << kScript;
    server.sql("postgres", fmt::format("ALTER SYSTEM SET extension_control_path = '{}:$system'",
                                       (server.folder() / "share").string()));
    server.sql("postgres", "SELECT pg_reload_conf()");
    wait_until([&] {
      return server.value("postgres", "SELECT count(*) FROM pg_available_extensions WHERE name = 'jobs'") == "1";
    });
  }
  // All of the rows, or a message that names the table on both occasions.
  void expect_rows_or_words() const {
    const SubprocessResult checked = check();
    const SubprocessResult cloned = clone();
    EXPECT_THAT(cloned.exit_code, AnyOf(0, 22)) << said(cloned);
    expect_same_answer("SELECT count(*) FROM plain");
    if (cloned.exit_code == 0) {
      expect_same_answer(kRows);
    } else {
      EXPECT_THAT(said(checked), HasSubstr("jobs_config"));
      EXPECT_THAT(said(cloned), HasSubstr("jobs_config"));
    }
  }
};

TEST_F(MadeExtension, HasARowThatItsScriptHasPutThereBesideThoseOfUsers) {
  source().sql(kDatabase, "INSERT INTO jobs_config VALUES (2, 'of a user'), (3, 'of a user')");
  expect_rows_or_words();
}

TEST_F(MadeExtension, HasARowOfItsScriptThatAUserHasChangedOrDeleted) {
  source().sql(kDatabase, "UPDATE jobs_config SET kind = 'changed'");
  expect_rows_or_words();
  make("CREATE EXTENSION jobs; CREATE TABLE plain (i int); INSERT INTO plain VALUES (1); DELETE FROM jobs_config");
  expect_rows_or_words();
}

TEST_F(MadeExtension, HasItsSequenceBehindItsRows) {
  source().sql(kDatabase,
               "SELECT setval('jobs_config_id_seq', 1);"
               "INSERT INTO jobs_config (kind) SELECT 'of a user' FROM generate_series(1, 8)");
  const SubprocessResult checked = check();
  const SubprocessResult cloned = clone();
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  expect_same_answer(kRows);
  if (at_target("SELECT last_value FROM jobs_config_id_seq") != "9") {
    EXPECT_THAT(said(checked), HasSubstr("jobs_config_id_seq"));
    EXPECT_THAT(said(cloned), ContainsRegex("setval.*jobs_config_id_seq"));
  }
}

TEST_F(MadeExtension, HasWhatUsersPutOnItsTables) {
  source().sql(
      kDatabase,
      "CREATE INDEX users_index ON jobs_config (kind); ALTER TABLE jobs_log ADD CONSTRAINT users_check CHECK (id > 0);"
      "CREATE POLICY users_policy ON jobs_log; ALTER TABLE jobs_log ENABLE ROW LEVEL SECURITY;"
      "ALTER TABLE jobs_log ADD CONSTRAINT users_foreign_key FOREIGN KEY (id) REFERENCES jobs_config;"
      "COMMENT ON COLUMN jobs_log.line IS 'users_comment'; CREATE STATISTICS users_statistics ON id, line FROM "
      "jobs_log");
  const SubprocessResult cloned = clone();
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  for (const char* query :
       {"SELECT count(*) FROM pg_class WHERE relname = 'users_index'",
        "SELECT string_agg(conname || pg_get_constraintdef(oid), ', ' ORDER BY conname) FROM pg_constraint WHERE "
        "conname LIKE 'users%'",
        "SELECT string_agg(polname, ',') FROM pg_policy",
        "SELECT relrowsecurity FROM pg_class WHERE relname = 'jobs_log'",
        "SELECT col_description('jobs_log'::regclass, 2)", "SELECT count(*) FROM pg_statistic_ext"}) {
    expect_same_answer(query);
  }
  const SubprocessResult compared = compare_schema();
  EXPECT_EQ(compared.exit_code, 0) << said(compared);
  target().sql(kDatabase, "DROP INDEX IF EXISTS users_index");
  const SubprocessResult different = compare_schema();
  EXPECT_EQ(different.exit_code, 21) << said(different);
  EXPECT_THAT(said(different), HasSubstr("users_index"));
}

}  // namespace
}  // namespace pgsluice::test
