// Migrations between real servers, from their validations to their ends.
#include <gmock/gmock.h>

#include <atomic>
#include <optional>

#include "migration/verification.h"
#include "tests/migration/runner_fixture.h"

namespace pgsluice::migration {
namespace {

using ::testing::HasSubstr;

class RunnerTest : public RunnerFixture {};

TEST_F(RunnerTest, DatabasesAreMadeOrMadeOverClonedAndCompared) {
  std::atomic<int> heard{0};
  const Request wanted = request();
  Runner runner(store_, create(store_, "first", "", {}, wanted), wanted, sink_, [&](const Migration&) { ++heard; });
  const Migration ended = runner.run();
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(ended.substate, Substate::kCompleted);
  for (const std::string& name : wanted.databases) EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
  EXPECT_FALSE(target_has("testdb1"));
  for (const DatabaseDetails& database : ended.details) {
    EXPECT_EQ(database.state, DatabaseState::kSucceeded);
    EXPECT_EQ(database.verification, "equal");
    EXPECT_EQ(database.rows, 5000);
    EXPECT_EQ(database.completed_tables, 1);
    EXPECT_TRUE(database.ended);
  }
  EXPECT_THAT(ended.source_version, HasSubstr("15"));
  EXPECT_EQ(ended.validation.databases.size(), 3U);
  EXPECT_GE(heard, 1);
  EXPECT_FALSE(ended.next_steps.empty());
  EXPECT_EQ(to_string(store_.find("first", std::nullopt).state), to_string(State::kSucceeded));
  EXPECT_GE(store_.samples(ended.id).size(), 2U);
}

TEST_F(RunnerTest, SeveralAtOnceComeOutEqualToo) {
  Request wanted = request();
  wanted.databases_at_once = 3;
  wanted.option = MigrationOption::kMigrate;
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_TRUE(ended.validation.databases.empty());
  for (const std::string& name : wanted.databases) EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
}

TEST_F(RunnerTest, ADatabaseThatIsThereIsNotTouchedWhereItMayNotBeOverwritten) {
  Request wanted = request();
  wanted.overwrite = Overwrite::kNo;
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.error, HasSubstr("testdb6: target: there is a database of that name already"));
  EXPECT_EQ(ended.error, "testdb6: " + ended.details[1].message);
  EXPECT_EQ(target_.value("testdb6", "SELECT count(*) FROM of_before"), "0");
  EXPECT_FALSE(target_has("testdb3"));
}

TEST_F(RunnerTest, AValidationThatFailsEndsItBeforeAnythingIsChanged) {
  source_.sql("testdb3", "CREATE ROLE owner_of_much; ALTER TABLE t OWNER TO owner_of_much");
  const Migration ended = run(request());
  EXPECT_EQ(ended.state, State::kValidationFailed);
  EXPECT_THAT(ended.error, HasSubstr("servers: RolesValidation: role owner_of_much"));
  for (const DatabaseDetails& database : ended.details) EXPECT_EQ(database.state, DatabaseState::kNotStarted);
  EXPECT_FALSE(target_has("testdb3"));
  EXPECT_EQ(target_.value("testdb6", "SELECT count(*) FROM of_before"), "0");
  // What was wrong is mended, and the same migration goes on.
  Request with_roles = request();
  with_roles.roles = true;
  Runner runner(store_, resume_migration(store_, ended, with_roles), with_roles, sink_);
  const Migration again = runner.run();
  EXPECT_EQ(again.state, State::kSucceeded) << again.error;
  EXPECT_TRUE(again.roles);
}

TEST_F(RunnerTest, ADatabaseWhoseOwnValidationFailsIsFailedAndTheOthersHaveNotStarted) {
  source_.sql("testdb6",
              "CREATE EXTENSION hstore; UPDATE pg_extension SET extname = 'not_there' WHERE extname = 'hstore'");
  const Migration ended = run(request());
  EXPECT_EQ(ended.state, State::kValidationFailed);
  for (const DatabaseDetails& database : ended.details) {
    SCOPED_TRACE(database.name);
    const bool is_wrong = database.name == "testdb6";
    EXPECT_EQ(database.state, is_wrong ? DatabaseState::kFailed : DatabaseState::kNotStarted);
    EXPECT_EQ(database.message.find("not_there") != std::string::npos, is_wrong) << database.message;
    EXPECT_EQ(database.ended.has_value(), is_wrong);
  }
  // It comes back from the store as it was written.
  EXPECT_EQ(store_.find("first", std::nullopt).details.front().state, DatabaseState::kNotStarted);
}

TEST_F(RunnerTest, ValidateAloneChangesNothing) {
  Request wanted = request();
  wanted.option = MigrationOption::kValidate;
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_FALSE(target_has("testdb3"));
}

TEST_F(RunnerTest, OneDatabaseThatFailsIsNamedAndTheOthersAreMigrated) {
  source_.sql("testdb6",
              "CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i; END';"
              "CREATE INDEX ON t (f(i)); CREATE OR REPLACE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
              "'BEGIN RAISE EXCEPTION $$no more$$; END'");
  const Migration ended = run(request());
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_EQ(ended.error, "testdb6: " + ended.details[1].message);
  EXPECT_THAT(ended.details[1].message, HasSubstr("no more"));
  EXPECT_EQ(ended.details[0].state, DatabaseState::kSucceeded);
  EXPECT_EQ(ended.details[2].state, DatabaseState::kSucceeded);
}

TEST_F(RunnerTest, WhatIsWrittenToTheSourceMeanwhileIsADifference) {
  // When the row comes is when the second database is copied: the first one's rows have been read.
  Request wanted = request();
  source_.sql("testdb3",
              "CREATE TABLE slow (i int); INSERT INTO slow VALUES (1);"
              "CREATE FUNCTION f(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';"
              "CREATE INDEX ON slow (f(i));"
              "CREATE OR REPLACE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
              "'BEGIN PERFORM pg_sleep(3); RETURN i; END'");
  std::atomic<bool> written{false};
  const Migration ended = run_and(
      wanted,
      [&](const Migration&) {
        if (sink_.text().find("testdb3: all rows are read") == std::string::npos) return false;
        if (!written.exchange(true)) source_.sql("testdb3", "INSERT INTO t VALUES (1000000, 'late')");
        return false;
      },
      [](Runner&) {});
  EXPECT_TRUE(written);
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.details[0].verification, HasSubstr("1000000"));
}

TEST_F(RunnerTest, ACancelDropsWhatWasMadeAndSaysSo) {
  const Held held(source_, target_, "testdb6");
  const Migration ended = run_and(
      request(), [](const Migration& now) { return now.details[1].operation == "MigratingData"; },
      [this](Runner&) { store_.request_cancel(store_.find("first", std::nullopt)); });
  EXPECT_EQ(ended.state, State::kCanceled) << ended.error;
  for (const DatabaseDetails& database : ended.details) EXPECT_EQ(database.state, DatabaseState::kCanceled);
  EXPECT_THAT(ended.details[0].message, HasSubstr("dropped"));
  EXPECT_THAT(ended.details[1].message, HasSubstr("dropped"));
  EXPECT_THAT(ended.details[2].message, HasSubstr("not changed"));
  for (const char* name : {"testdb3", "testdb6", "testschema"}) EXPECT_FALSE(target_has(name)) << name;
}

TEST_F(RunnerTest, WhatWasStoppedGoesOnWhereItWas) {
  std::optional<Held> held(std::in_place, source_, target_, "testdb6");
  const Migration stopped = run_and(
      request(), [](const Migration& now) { return now.details[1].operation == "MigratingData"; },
      [](Runner& runner) { runner.stop(); });
  held.reset();
  EXPECT_EQ(stopped.state, State::kFailed);
  EXPECT_THAT(stopped.error, HasSubstr("resume the migration"));
  EXPECT_EQ(stopped.details[0].state, DatabaseState::kSucceeded);
  const std::string oid = target_.value("postgres", "SELECT oid FROM pg_database WHERE datname = 'testdb3'");
  const std::string begun = target_.value("postgres", "SELECT oid FROM pg_database WHERE datname = 'testdb6'");
  const Request wanted = request();
  Runner runner(store_, resume_migration(store_, stopped, wanted), wanted, sink_);
  const Migration ended = runner.run();
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(target_.value("postgres", "SELECT oid FROM pg_database WHERE datname = 'testdb3'"), oid);
  EXPECT_EQ(target_.value("postgres", "SELECT oid FROM pg_database WHERE datname = 'testdb6'"), begun);
  for (const std::string& name : wanted.databases) EXPECT_EQ(differences(name), std::vector<std::string>{}) << name;
  Request other = request();
  other.databases = {"testdb1"};
  EXPECT_THROW(resume_migration(store_, stopped, other), Error);
}

TEST_F(RunnerTest, ADatabaseThatTheSourceHasNotIsNamedBeforeAnythingIsChanged) {
  Request wanted = request();
  wanted.databases = {"testdb3", "TestDB9"};
  wanted.option = MigrationOption::kMigrate;
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.error, HasSubstr("TestDB9: source: there is no such database"));
  EXPECT_FALSE(target_has("testdb3"));
}

TEST_F(RunnerTest, AWrongPasswordIsToldApartAndShownNowhere) {
  Request wanted = request();
  wanted.source_password = "another-s3cret";
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kValidationFailed);
  const Validation& connectivity = ended.validation.server.front();
  EXPECT_EQ(connectivity.type, "AuthenticationAndConnectivityValidation");
  EXPECT_THAT(connectivity.findings.front().message, HasSubstr("user or password are refused"));
  EXPECT_THAT(sink_.text(), ::testing::Not(HasSubstr("s3cret")));
}

TEST_F(RunnerTest, WhatAValidationRefusedIsMigratedWithoutOneIfSoAsked) {
  Request wanted = request();
  wanted.source_password = "another";
  const Migration refused = run(wanted);
  ASSERT_EQ(refused.state, State::kValidationFailed);
  Request again = request();
  again.option = MigrationOption::kMigrate;
  again.option_is_given = true;
  Runner runner(store_, resume_migration(store_, refused, again), again, sink_);
  const Migration ended = runner.run();
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_FALSE(ended.validation.ended) << "what the earlier attempt has found is not this one's";
}

TEST_F(RunnerTest, TheStoreHoldsNoSecret) {
  run(request());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_THAT(read_file(entry.path()), ::testing::Not(HasSubstr(kPassword))) << entry.path();
  }
  EXPECT_THAT(sink_.text(), ::testing::Not(HasSubstr(kPassword)));
}

TEST_F(RunnerTest, WhatAFilterLeavesOutIsNoDifferenceAndWhatItKeepsIs) {
  source_.sql("testdb3",
              "CREATE TABLE sessions AS SELECT generate_series(1, 10) AS i; CREATE TABLE scratch (i serial)");
  Request wanted = request();
  wanted.databases = {"testdb3"};
  wanted.engine.filters = schema::parse_filter_rules(
      "[exclude-table]\npublic.scratch\n[exclude-table-data]\npublic.sessions\n", "the test");
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_THAT(ended.details[0].verification, HasSubstr("contents equal"));
  EXPECT_EQ(target_.value("testdb3", "SELECT count(*) FROM sessions"), "0");

  target_.sql("testdb3", "DROP TABLE t");
  const Verification verified = verify_database(wanted, "testdb3", sink_, {});
  EXPECT_FALSE(verified.equal);
  EXPECT_THAT(verified.text, HasSubstr("table public.t: only on the source"));
}

}  // namespace
}  // namespace pgsluice::migration
