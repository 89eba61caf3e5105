// clone --all-databases as a user calls it.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/support/database_comparison.h"
#include "tests/tools/command_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class AllDatabases : public CommandTest {
 protected:
  AllDatabases() {
    source_.create_database("first");
    source_.create_database("second");
    source_.sql("first", "CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000)");
    source_.sql("second", "CREATE ROLE app; CREATE TABLE u (i int); ALTER TABLE u OWNER TO app");
  }

  // The connection strings name no database.
  SubprocessResult clone_all(std::vector<std::string> more) {
    const auto uri = [](const Cluster& cluster) {
      return "host=" + cluster.folder().string() + " user=postgres port=" + std::to_string(cluster.port());
    };
    std::vector<std::string> arguments = {"clone",      "--all-databases", "--roles",   "--source",
                                          uri(source_), "--target",        uri(target_)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  Cluster source_;
  Cluster target_;
};

TEST_F(AllDatabases, AreMadeClonedAndSummedUp) {
  const SubprocessResult plan = clone_all({"--dry-run"});
  EXPECT_EQ(plan.exit_code, 0) << plan.errors;
  EXPECT_THAT(plan.output, HasSubstr("CREATE DATABASE \"first\" TEMPLATE template0"));
  EXPECT_EQ(target_.value("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'first'"), "0");

  const SubprocessResult all = clone_all({"--json"});
  EXPECT_EQ(all.exit_code, 0) << all.errors;
  const Json summary = Json::parse(all.output);
  EXPECT_EQ(summary.at("databases").size(), 3U);
  EXPECT_TRUE(summary.at("complete").get<bool>());
  EXPECT_THAT(all.errors, HasSubstr("INFO    first: all rows are read"));
  for (const char* name : {"first", "second"}) {
    EXPECT_EQ(compare_databases(source_.conninfo(name), target_.conninfo(name), server_bindir()),
              std::vector<std::string>{});
  }
  // Each has a work directory of its own, below the one that the command was given.
  const SubprocessResult progress = run({"list", "progress", "--json"});
  EXPECT_EQ(progress.exit_code, 0) << progress.errors;
  EXPECT_EQ(Json::parse(progress.output).at("databases").at("first").at("tables").at("done"), 1) << progress.output;
  EXPECT_THAT(run({"list", "progress"}).output, HasSubstr("Database second"));
  const SubprocessResult again = clone_all({});
  EXPECT_EQ(again.exit_code, 22) << "postgres has nothing, the others are not empty: " << again.errors;
  EXPECT_THAT(again.output, HasSubstr("Total: 1 of 3 databases"));
  EXPECT_THAT(again.output, HasSubstr("the database first is not empty"));
}

TEST_F(AllDatabases, WhatEndsAllGivesItsOwnExitCodeWhateverWasCancelledForIt) {
  target_.create_database("second");
  target_.sql("second", "CREATE TABLE u (i int)");
  source_.sql("second", "CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
  // The largest is begun first, and is at work when the second one fails.
  source_.sql("first", R"sql(
    CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 5000);
    CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN i; END';
    CREATE INDEX ON t (slow(i));
    CREATE OR REPLACE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_sleep(0.1); RETURN i; END')sql");
  const SubprocessResult ended = clone_all({"--fail-fast"});
  EXPECT_EQ(ended.exit_code, 7) << ended.errors;
  EXPECT_THAT(ended.output, HasSubstr("0 of 3 databases"));
}

TEST_F(AllDatabases, WhatIsOfOneDatabaseIsRefusedByName) {
  const SubprocessResult refused = clone_all({"--snapshot", "00000003-00000001-1"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("a snapshot belongs to one database"));
}

TEST_F(AllDatabases, AreCheckedAsTheCloneWould) {
  target_.create_database("first");
  target_.sql("first", "CREATE TABLE t (i int)");
  const auto check = [&] {
    return run(
        {"check", "--all-databases", "--roles", "--source",
         "host=" + source_.folder().string() + " user=postgres port=" + std::to_string(source_.port()), "--target",
         "host=" + target_.folder().string() + " user=postgres port=" + std::to_string(target_.port()), "-o", "table"});
  };
  const SubprocessResult not_empty = check();
  EXPECT_EQ(not_empty.exit_code, 20) << not_empty.output;
  EXPECT_THAT(not_empty.output, HasSubstr("is not empty"));
  EXPECT_THAT(not_empty.output, HasSubstr("the database is not on the target yet"));
  EXPECT_THAT(not_empty.output, ::testing::Not(HasSubstr("OverwriteDBsInTarget")));
  target_.sql("first", "DROP TABLE t");
  const SubprocessResult empty = check();
  EXPECT_EQ(empty.exit_code, 0) << empty.output;
}

}  // namespace
}  // namespace pgsluice::test
