// What a migration drops, and what it leaves: whatever goes wrong, no database is lost that was not copied.
#include <gmock/gmock.h>

#include <optional>
#include <utility>

#include "migration/verification.h"
#include "tests/migration/runner_fixture.h"

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

  // A migration, and the error of another one, of another store, that is begun while the first copies testdb6.
  std::pair<Migration, std::string> run_beside(const Request& wanted, const std::string& target_name) {
    std::optional<Held> held(std::in_place, source_, target_, "testdb6");
    std::string of_other;
    Migration ended = run_and(
        request(), [](const Migration& now) { return now.details[1].operation == "MigratingData"; },
        [&](Runner&) {
          Store other(folder_.path() / "other");
          test::RecordingSink sink;
          Runner runner(other, create(other, "first", target_name, {}, wanted), wanted, sink);
          of_other = runner.run().error;
          held.reset();
        });
    return {std::move(ended), of_other};
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
  Request other = request();
  other.source.host = other.target.host = "localhost";
  const auto [ended, of_other] = run_beside(other, "");
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_THAT(of_other, HasSubstr("another migration is at work on the target server"));
  for (const std::string& name : ended.databases) EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
}

// Its lock is in another database of the server than those of all others.
TEST_F(OverwriteTest, AMigrationOfPostgresIsNotAtWorkBesideAnother) {
  Request other = request();
  other.databases = {"postgres", "testdb6"};
  const auto [ended, of_other] = run_beside(other, "elsewhere");
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_THAT(of_other, HasSubstr("another migration is at work on the target server"));
}

TEST_F(OverwriteTest, ADatabaseThatComesUpMeanwhileIsLeftWhereNoneMayBeReplaced) {
  std::optional<Held> held(std::in_place, source_, target_, "testdb3");
  Request wanted = without_validation();
  wanted.overwrite = Overwrite::kNo;
  wanted.databases = {"testdb3", "testdb1"};
  wanted.databases_at_once = 1;
  const Migration ended = run_and(
      wanted, [](const Migration& now) { return now.details[0].operation == "MigratingData"; },
      [&](Runner&) {
        target_.create_database("testdb1", "TEMPLATE template0");
        target_.sql("testdb1", "CREATE TABLE precious AS SELECT 42 AS i");
        held.reset();
      });
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_EQ(ended.details[0].state, DatabaseState::kSucceeded);
  EXPECT_THAT(ended.details[1].message, HasSubstr("there is a database of that name by now"));
  EXPECT_EQ(target_.value("testdb1", "SELECT i FROM precious"), "42");
  EXPECT_EQ(target_.value("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'pgsluice%'"), "0");
}

// As a monitoring agent does.
TEST_F(OverwriteTest, WhoConnectsToEachNewDatabaseIsNotInTheWayOfItsName) {
  std::atomic<bool> ended_now{false};
  std::jthread agent([&] {
    pg::Connection server = target_.connect("postgres");
    while (!ended_now) {
      for (const pg::Row row : server.execute("SELECT datname FROM pg_database WHERE datname LIKE 'pgsluice%'")) {
        try {
          target_.connect(row.text(0)).execute("SELECT pg_sleep(0.5)");
        } catch (const Error&) {
          continue;  // not let in, or dropped
        }
      }
    }
  });
  const Migration ended = run(request());
  ended_now = true;
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
}

TEST_F(OverwriteTest, WhatDiffersFromAChangedSourceIsCopiedAnewByAResume) {
  make_slow_index("testdb6");
  Migration ended = run_and(
      request(), [&](const Migration&) { return is_at_the_slow_index(); },
      [&](Runner&) { source_.sql("testdb6", "INSERT INTO t VALUES (0, 'late')"); });
  ASSERT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.details[1].message, HasSubstr("source and target differ"));
  EXPECT_THAT(ended.details[1].message, HasSubstr("resume the migration: it copies the database again"));
  Request wanted = request();
  Runner again(store_, resume_migration(store_, ended, wanted), wanted, sink_);
  ended = again.run();
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(differences("testdb6"), std::vector<std::string>{});
}

TEST_F(OverwriteTest, AStoppedCopyOfAChangedSourceSaysThatItIsCopiedAnewAndIsThen) {
  make_slow_index("testdb6");
  const Migration stopped = run_and(
      request(), [&](const Migration&) { return is_at_the_slow_index(); }, [](Runner& runner) { runner.stop(); });
  ASSERT_EQ(stopped.state, State::kFailed);
  source_.sql("testdb6", "INSERT INTO t VALUES (0, 'late')");
  Request wanted = request();
  const auto again = [&](const Migration& before) {
    return Runner(store_, resume_migration(store_, before, wanted), wanted, sink_).run();
  };
  const Migration refused = again(stopped);
  ASSERT_EQ(refused.state, State::kFailed);
  // All of its rows had been copied: the copy ends, and the comparison names the row.
  EXPECT_THAT(refused.details[1].message, HasSubstr("resume the migration: it copies the database again"));
  EXPECT_THAT(refused.details[1].message, ::testing::Not(HasSubstr("--not-consistent")));
  const Migration ended = again(refused);
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(differences("testdb6"), std::vector<std::string>{});
  wanted.option = MigrationOption::kValidate;
  EXPECT_THROW(resume_migration(store_, refused, wanted), Error) << "it would end without its databases";
}

TEST_F(OverwriteTest, ACopyThatAnotherVersionHasBegunIsLeftForThatVersion) {
  Request wanted = request();
  wanted.databases = {"testdb6"};
  make_slow_index("testdb6");
  const Migration stopped = run_and(
      wanted, [&](const Migration&) { return is_at_the_slow_index(); }, [](Runner& runner) { runner.stop(); });
  ASSERT_EQ(stopped.state, State::kFailed);
  target_.sql("testdb6",
              "CREATE TABLE kept AS SELECT what FROM pgsluice.run;"
              "UPDATE pgsluice.run SET what = '{\"format\": 0}'");
  const auto again = [&](const Migration& before) {
    return Runner(store_, resume_migration(store_, before, wanted), wanted, sink_).run();
  };
  const Migration refused = again(stopped);
  ASSERT_EQ(refused.state, State::kFailed);
  EXPECT_THAT(refused.details[0].message, HasSubstr("another version of pgsluice"));
  EXPECT_THAT(refused.details[0].message, HasSubstr("continue with that version"));
  EXPECT_FALSE(refused.details[0].anew);
  target_.sql("testdb6", "UPDATE pgsluice.run SET what = (SELECT what FROM kept); DROP TABLE kept");
  const Migration ended = again(refused);
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(differences("testdb6"), std::vector<std::string>{});
}

TEST_F(OverwriteTest, ACopyThatCannotBeginReplacesNothing) {
  source_.sql("testdb6", "CREATE ROLE only_here; ALTER TABLE t OWNER TO only_here");
  const Migration ended = run(without_validation());
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.details[1].message, HasSubstr("only_here"));
  EXPECT_THAT(ended.error, HasSubstr("no database of the target was dropped"));
  EXPECT_TRUE(is_as_before());
  EXPECT_EQ(target_.value("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'pgsluice%'"), "0");
}

TEST_F(OverwriteTest, ACopyThatCannotBeginDoesNotSayThatNothingWasChanged) {
  source_.sql("testschema", "CREATE ROLE only_here; ALTER TABLE t OWNER TO only_here");
  Request wanted = without_validation();
  wanted.databases = {"testschema"};  // replaces none, so that it is not checked beforehand
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.details[0].message, HasSubstr("only_here"));
  EXPECT_THAT(ended.details[0].message, HasSubstr("the database that the migration has made is empty"));
  EXPECT_THAT(ended.details[0].message, ::testing::Not(HasSubstr("nothing was changed")));
}

// What is known to differ stays known, whatever a next attempt fails for before it has begun.
TEST_F(OverwriteTest, WhatDiffersIsNotTakenForDoneBehindAnAttemptThatCouldNotBegin) {
  Request wanted = without_validation();
  wanted.databases = {"testdb6"};
  make_slow_index("testdb6");
  const auto again = [&](const Migration& before) {
    return Runner(store_, resume_migration(store_, before, wanted), wanted, sink_).run();
  };
  const Migration differs = run_and(
      wanted, [&](const Migration&) { return is_at_the_slow_index(); },
      [&](Runner&) { source_.sql("testdb6", "INSERT INTO t VALUES (0, 'late')"); });
  ASSERT_TRUE(differs.details[0].anew) << differs.error;
  target_.sql("postgres", "ALTER DATABASE testdb6 IS_TEMPLATE true");
  const Migration hindered = again(differs);
  ASSERT_EQ(hindered.state, State::kFailed);
  EXPECT_TRUE(hindered.details[0].anew);
  target_.sql("postgres", "ALTER DATABASE testdb6 IS_TEMPLATE false");
  wanted.verify = false;
  const Migration ended = again(hindered);
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(target_.value("testdb6", "SELECT count(*) FROM t"), "5001");
}

TEST_F(OverwriteTest, AllThatIsMissingIsNamed) {
  source_.sql("testdb6",
              "CREATE TABLE child (i int); INSERT INTO child VALUES (-1);"
              "ALTER TABLE child ADD CONSTRAINT first_key FOREIGN KEY (i) REFERENCES t NOT VALID;"
              "ALTER TABLE child ADD CONSTRAINT second_key FOREIGN KEY (i) REFERENCES t NOT VALID;"
              "UPDATE pg_constraint SET convalidated = true WHERE conname IN ('first_key', 'second_key')");
  const Migration ended = run(without_validation());
  EXPECT_EQ(ended.state, State::kFailed);
  for (const char* part : {"2 objects are missing", "first_key", "second_key"}) {
    EXPECT_THAT(ended.details[1].message, HasSubstr(part));
  }
}

// The tutorial's target user: no superuser, with the roles migrated.
TEST_F(OverwriteTest, APlainUserOfTheTargetGivesWhatTheMigratedRolesOwn) {
  target_.sql("postgres",
              "CREATE ROLE mig LOGIN CREATEDB CREATEROLE PASSWORD 's3cret-of-the-test' IN ROLE pg_read_all_settings,"
              " pg_read_all_stats, pg_stat_scan_tables");
  source_.sql("testdb1",
              "CREATE ROLE app LOGIN; ALTER TABLE t OWNER TO app; ALTER DATABASE testdb1 OWNER TO app;"
              "GRANT SELECT ON t TO PUBLIC");
  Request wanted = request();
  wanted.target.user = "mig";
  wanted.databases = {"testdb1"};
  wanted.roles = true;
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(ended.details[0].verification, "equal");
  EXPECT_EQ(target_.value("testdb1", "SELECT tableowner FROM pg_tables WHERE tablename = 't'"), "app");
}

// What is left out of the definitions leaves the contents to be compared, sequences and large objects too.
TEST_F(OverwriteTest, SequencesAndLargeObjectsAreComparedWhateverDefinitionsAreLeftOut) {
  for (const test::Cluster* server : {&source_, &target_}) {
    server->create_database("testdb1", "TEMPLATE template0");
    server->sql("testdb1", "CREATE SEQUENCE q; CREATE TABLE t (i int)");
  }
  Request wanted = request();
  wanted.engine.restore.comments = false;
  const auto verified = [&] { return verify_database(wanted, "testdb1", sink_, {}).text; };
  EXPECT_THAT(verified(), HasSubstr("contents equal"));
  source_.sql("testdb1", "SELECT nextval('q')");
  EXPECT_THAT(verified(), HasSubstr("sequence public.q"));
  target_.sql("testdb1", "SELECT nextval('q')");
  source_.sql("testdb1", "SELECT lo_create(4711)");
  EXPECT_THAT(verified(), HasSubstr("large objects"));
  wanted.engine.large_objects = false;
  EXPECT_THAT(verified(), HasSubstr("contents equal"));
}

TEST_F(OverwriteTest, ADatabaseThatWasCopiedAndIsGoneIsCopiedAnewByAResume) {
  std::optional<Held> held(std::in_place, source_, target_, "testdb6");
  const Migration stopped = run_and(
      request(), [](const Migration& now) { return now.details[1].operation == "MigratingData"; },
      [](Runner& runner) { runner.stop(); });
  ASSERT_EQ(stopped.details[0].state, DatabaseState::kSucceeded);
  held.reset();
  // Made over by somebody else.
  target_.create_database("testdb3", "TEMPLATE template0");
  const Request wanted = request();
  Runner runner(store_, resume_migration(store_, stopped, wanted), wanted, sink_);
  const Migration ended = runner.run();
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_THAT(sink_.text(), HasSubstr("testdb3 that was made before is not there any more"));
  for (const std::string& name : wanted.databases) EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
  for (const DatabaseDetails& database : ended.details) {
    EXPECT_EQ(database.rows, 5000) << database.name;
  }
}

TEST_F(OverwriteTest, ACancelLeavesADatabaseOfSomebodyElseOfThatName) {
  const Held held(source_, target_, "testdb6");
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
  const Held held(source_, target_, "testdb6");
  const Migration stopped = run_and(
      request(), [](const Migration& now) { return now.details[1].operation == "MigratingData"; },
      [](Runner& runner) { runner.stop(); });
  store_.request_cancel(resume_migration(store_, stopped, request()));
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
