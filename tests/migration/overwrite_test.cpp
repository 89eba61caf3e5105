// What a migration drops, and what it leaves: whatever goes wrong, no database is lost that was not copied.
#include <gmock/gmock.h>

#include "migration/runner_fixture.h"

namespace pgsluice::migration {
namespace {

using ::testing::HasSubstr;

class OverwriteTest : public RunnerFixture {
 protected:
  bool is_as_before() const { return target_.value("testdb6", "SELECT count(*) FROM of_before") == "0"; }
  Request without_validation() const {
    Request result = request();
    result.option = MigrationOption::kMigrate;
    return result;
  }
};

TEST_F(OverwriteTest, ASourceThatIsTheTargetIsNotDropped) {
  for (const MigrationOption option : {MigrationOption::kMigrate, MigrationOption::kValidateAndMigrate}) {
    Request wanted = request();
    wanted.target = wanted.source;
    wanted.target.host = "localhost";
    wanted.option = option;
    const Migration ended = run(wanted, option == MigrationOption::kMigrate ? "first" : "second");
    EXPECT_NE(ended.state, State::kSucceeded);
    EXPECT_THAT(ended.error, HasSubstr("same server"));
    EXPECT_EQ(source_.value("testdb3", "SELECT count(*) FROM t"), "5000");
  }
}

TEST_F(OverwriteTest, ADatabaseThatCannotBeMadeLeavesTheOneThatIsThere) {
  source_.create_tablespace("of_source");
  source_.create_database("testdb6", "TEMPLATE template0 TABLESPACE of_source");
  source_.sql("testdb6", "CREATE TABLE t (i int)");
  Migration ended = run(without_validation());
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.details[1].message, HasSubstr("of_source"));
  EXPECT_TRUE(is_as_before());
  EXPECT_EQ(target_.value("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'pgsluice%'"), "0");
  ended = run(request(), "second");
  EXPECT_EQ(ended.state, State::kValidationFailed);
  EXPECT_THAT(ended.error, HasSubstr("testdb6: SchemaValidation: tablespace of_source"));
}

TEST_F(OverwriteTest, WithoutAPgDumpNothingIsDropped) {
  Request wanted = without_validation();
  wanted.engine.pg_bindir = "/nonexistent";
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.error, HasSubstr("there is no pg_dump in /nonexistent"));
  EXPECT_TRUE(is_as_before());
}

TEST_F(OverwriteTest, TwoMigrationsOfTwoStoresAreNotAtWorkOnOneServer) {
  source_.sql("testdb6", "CREATE TABLE large AS SELECT g, repeat('x', 500) FROM generate_series(1, 300000) g");
  std::string of_other;
  const Migration ended = run_and(
      request(), [](const Migration& now) { return now.details[1].operation == "MigratingData"; },
      [&](Runner&) {
        Store other(folder_.path() / "other");
        Request wanted = request();
        wanted.source.host = wanted.target.host = "localhost";
        test::RecordingSink sink;
        Runner runner(other, create(other, "first", "", {}, wanted), wanted, sink);
        of_other = runner.run().error;
      });
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_THAT(of_other, HasSubstr("another migration is at work on this server"));
  for (const std::string& name : ended.databases) EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
}

TEST_F(OverwriteTest, ADatabaseThatWasCopiedAndIsGoneIsCopiedAnewByAResume) {
  source_.sql("testdb6", "CREATE TABLE large AS SELECT g, repeat('x', 500) FROM generate_series(1, 300000) g");
  const Migration stopped = run_and(
      request(), [](const Migration& now) { return now.details[1].operation == "MigratingData"; },
      [](Runner& runner) { runner.stop(); });
  ASSERT_EQ(stopped.details[0].state, DatabaseState::kSucceeded);
  // Made over by somebody else.
  target_.create_database("testdb3", "TEMPLATE template0");
  const Request wanted = request();
  Runner runner(store_, take_up_again(store_, stopped, wanted), wanted, sink_);
  const Migration ended = runner.run();
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_THAT(sink_.text(), HasSubstr("testdb3 that was made before is not there any more"));
  for (const std::string& name : wanted.databases) EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
  for (const DatabaseDetails& database : ended.details) {
    EXPECT_EQ(database.rows, database.name == "testdb6" ? 305000 : 5000) << database.name;
  }
}

TEST_F(OverwriteTest, ACancelLeavesADatabaseOfSomebodyElseOfThatName) {
  source_.sql("testdb6", "CREATE TABLE large AS SELECT g, repeat('x', 500) FROM generate_series(1, 300000) g");
  const Migration ended = run_and(
      request(), [](const Migration& now) { return now.details[1].operation == "MigratingData"; },
      [&](Runner& runner) {
        target_.create_database("testdb3", "TEMPLATE template0");
        runner.cancel();
      });
  EXPECT_EQ(ended.state, State::kCanceled) << ended.error;
  EXPECT_TRUE(target_has("testdb3"));
  EXPECT_FALSE(target_has("testdb6"));
  EXPECT_THAT(ended.details[0].message, HasSubstr("not on the target any more"));
}

TEST_F(OverwriteTest, ACancelWhileNoWorkerIsAtWorkSaysWhatIsLeft) {
  source_.sql("testdb6", "CREATE TABLE large AS SELECT g, repeat('x', 500) FROM generate_series(1, 300000) g");
  const Migration stopped = run_and(
      request(), [](const Migration& now) { return now.details[1].operation == "MigratingData"; },
      [](Runner& runner) { runner.stop(); });
  store_.request_cancel(take_up_again(store_, stopped, request()));
  const Migration canceled = store_.find("first", std::nullopt);
  EXPECT_EQ(canceled.state, State::kCanceled);
  EXPECT_THAT(canceled.details[0].message, HasSubstr("still on the target: drop it"));
  EXPECT_THAT(canceled.details[2].message, HasSubstr("the target was not changed"));
}

TEST_F(OverwriteTest, ThePostgresDatabaseCanBeMigratedToo) {
  source_.sql("postgres", "CREATE TABLE own AS SELECT 1 AS i");
  Request wanted = request();
  wanted.databases = {"postgres"};
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(target_.value("postgres", "SELECT count(*) FROM own"), "1");
}

}  // namespace
}  // namespace pgsluice::migration
