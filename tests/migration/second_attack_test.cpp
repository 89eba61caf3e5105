// Ways by which a second and a third attack brought a migration to drop what it should not have, or to say what was
// not so.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <thread>
#include <vector>

#include "base/sqlite.h"
#include "migration/target_server.h"
#include "pg/advisory_lock.h"
#include "tests/migration/runner_fixture.h"
#include "tests/support/wait_until.h"

namespace pgsluice::migration {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class SecondAttack : public RunnerFixture {
 protected:
  void SetUp() override {
    RunnerFixture::SetUp();
    target_.sql("testdb6", "INSERT INTO of_before VALUES (42)");
  }

  std::string of_before() const { return target_.value("testdb6", "SELECT string_agg(i::text, ',') FROM of_before"); }
  std::string ours_on_target() const {
    return target_.value(
        "postgres", "SELECT coalesce(string_agg(datname, ','), '') FROM pg_database WHERE datname LIKE 'pgsluice%'");
  }
  std::uint32_t oid_of(const std::string& database) const {
    return static_cast<std::uint32_t>(
        std::stoul(target_.value("postgres", "SELECT oid FROM pg_database WHERE datname = '" + database + "'")));
  }
  const DatabaseDetails& details(const Migration& migration, const std::string& name) const {
    for (const DatabaseDetails& one : migration.details) {
      if (one.name == name) return one;
    }
    throw std::runtime_error("no database " + name);
  }
  Request with(MigrationOption option) const {
    Request wanted = request();
    wanted.option = option;
    wanted.option_is_given = true;
    return wanted;
  }
  Request keeping() const {
    Request wanted = request();
    wanted.overwrite = Overwrite::kKeep;
    return wanted;
  }
  // A migration of these whose worker has died, with what it had recorded of testdb6 and of the server.
  Migration died(const Request& wanted, bool is_cancelled, const std::string& system,
                 const std::function<void(DatabaseDetails&)>& record) {
    Migration migration = create(store_, "first", "", {}, wanted);
    {
      Claim claim = store_.claim(migration.id);
      if (!system.empty()) claim.set_target_system(system);
      migration.substate = Substate::kMigratingData;
      record(migration.details[1]);
      claim.write(migration);
      if (is_cancelled) store_.request_cancel(migration);
    }
    return store_.find("first", std::nullopt);
  }
  Migration resume(const Migration& dead, const Request& wanted) {
    return Runner(store_, resume_migration(store_, dead, wanted), wanted, sink_).run();
  }
};

TEST_F(SecondAttack, AWorkerCarriesOutTheOptionOfItsMigrationWhateverItWasTold) {
  const Migration validates = create(store_, "first", "", {}, with(MigrationOption::kValidate));
  const Migration ended = Runner(store_, validates, request(), sink_).run();
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(ended.option, MigrationOption::kValidate);
  EXPECT_EQ(of_before(), "42");
  EXPECT_FALSE(target_has("testdb3"));
}

TEST_F(SecondAttack, AResumeKeepsTheOptionUnlessAnotherOneIsSaid) {
  const Migration waiting = create(store_, "first", "", {}, with(MigrationOption::kValidate));
  store_.fail_unclaimed(waiting, "no worker came up");
  const Migration failed = store_.find("first", std::nullopt);
  const Migration again = resume_migration(store_, failed, request());
  EXPECT_EQ(again.option, MigrationOption::kValidate);
  store_.fail_unclaimed(again, "no worker came up");
  const Migration failed_again = store_.find("first", std::nullopt);
  EXPECT_EQ(resume_migration(store_, failed_again, with(MigrationOption::kMigrate)).option, MigrationOption::kMigrate);
  EXPECT_THROW(require_same(waiting, with(MigrationOption::kMigrate), Sameness::kWhole), Error);
  EXPECT_NO_THROW(require_same(waiting, request(), Sameness::kWhole));
}

TEST_F(SecondAttack, ADatabaseOfAnotherServerIsNotTakenForTheMigrationsOwn) {
  for (const bool is_cancelled : {false, true}) {
    SCOPED_TRACE(is_cancelled ? "canceled" : "resumed");
    const Migration dead = died(request(), is_cancelled, "7000000000000000001", [&](DatabaseDetails& database) {
      database.made = database.anew = true;
      database.target_oid = oid_of("testdb6");  // by chance
    });
    const Migration ended = resume(dead, request());
    EXPECT_EQ(ended.state, State::kFailed);
    const std::string said = is_cancelled ? details(ended, "testdb6").message : ended.error;
    EXPECT_THAT(said, HasSubstr("another server answers at the target's address"));
    EXPECT_EQ(of_before(), "42");
    EXPECT_FALSE(target_has("testdb3"));
    store_.remove(ended);
  }
}

TEST_F(SecondAttack, ADatabaseThatAnotherMigrationKeepsIsNeitherDroppedNorGivenBack) {
  const std::string kept = kept_name("testdb6");
  target_.create_database(kept);
  target_.sql("postgres", "ALTER DATABASE " + kept + " ALLOW_CONNECTIONS false");
  for (const bool is_cancelled : {true, false}) {
    SCOPED_TRACE(is_cancelled ? "canceled" : "resumed");
    const Migration dead = died(keeping(), is_cancelled, "", [&](DatabaseDetails& database) {
      database.making = temporary_name("testdb6");
      database.replaced = "7 MB, owner postgres, 0 sessions";
      database.kept_as = kept;
      database.kept_oid = oid_of("testdb6");  // its renaming did not come about
    });
    const Migration ended = resume(dead, keeping());
    EXPECT_EQ(ended.state, is_cancelled ? State::kCanceled : State::kValidationFailed) << ended.error;
    if (is_cancelled) {
      EXPECT_THAT(details(ended, "testdb6").message, HasSubstr("has its name again"));
    }
    EXPECT_EQ(of_before(), "42");
    EXPECT_EQ(ours_on_target(), kept);
    store_.remove(ended);
  }
}

TEST_F(SecondAttack, AKeptNameThatIsTakenIsFoundBeforeAnythingIsReplaced) {
  const std::string kept = kept_name("testdb6");
  target_.create_database(kept);
  target_.create_database("testdb3", "TEMPLATE template0");
  target_.sql("testdb3", "CREATE TABLE precious (i int)");
  for (const MigrationOption option : {MigrationOption::kValidateAndMigrate, MigrationOption::kMigrate}) {
    Request wanted = keeping();
    wanted.option = option;
    const Migration ended = run(wanted, option == MigrationOption::kMigrate ? "second" : "first");
    EXPECT_NE(ended.state, State::kSucceeded);
    EXPECT_THAT(ended.error, HasSubstr("a database is kept as " + kept));
    EXPECT_EQ(target_.value("testdb3", "SELECT to_regclass('precious') IS NOT NULL"), "t");
    EXPECT_EQ(of_before(), "42");
  }
}

TEST_F(SecondAttack, AMigrationWhoseCancellationFailedIsNotForgotten) {
  const Migration migration = create(store_, "first", "", {}, request());
  std::optional<Claim> claim = store_.claim(migration.id);
  std::jthread worker([&] {
    Migration now = migration;
    while (!claim->cancel_requested()) wait_for({}, {}, std::chrono::milliseconds(5));
    now.state = State::kFailed;
    now.substate = Substate::kFailed;
    now.error = "the cancellation could not be carried out whole";
    claim->write_end(now);
  });
  Store other(store_.folder());
  try {
    cancel_and_remove(other, migration, {});
    ADD_FAILURE() << "it is said to be deleted";
  } catch (const Error& error) {
    EXPECT_THAT(error.describe(), HasSubstr("is not deleted: the cancellation could not be carried out whole"));
  }
  worker.join();
  claim.reset();
  EXPECT_EQ(store_.find("first", std::nullopt).state, State::kFailed);
  EXPECT_TRUE(store_.is_cancellation_left(migration));
  cancel_and_remove(other, migration, {});  // once more, which is meant
  EXPECT_TRUE(store_.name_available("first"));
}

TEST_F(SecondAttack, EachDatabaseIsCheckedBeforeTheFirstOneIsReplacedAlsoOneThatReplacesNone) {
  source_.sql("testdb3", "CREATE ROLE only_here; ALTER TABLE t OWNER TO only_here");
  const Migration ended = run(with(MigrationOption::kMigrate));
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.error, AllOf(HasSubstr("only_here"), HasSubstr("no database of the target was dropped")));
  EXPECT_EQ(of_before(), "42");
  EXPECT_THAT(ours_on_target(), IsEmpty());
}

TEST_F(SecondAttack, ADatabaseThatComesUpMeanwhileIsNotReplacedUnchecked) {
  std::optional<Held> held(std::in_place, source_, target_, "testdb3");
  const Migration ended = run_and(
      request(), [&](const Migration& now) { return details(now, "testdb3").operation == "MigratingData"; },
      [&](Runner&) {
        target_.create_database("testschema", "TEMPLATE template0");
        target_.sql("testschema", "CREATE TABLE precious AS SELECT 7 AS i");
        held.reset();
      });
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(details(ended, "testschema").message, HasSubstr("was created on the target meanwhile"));
  EXPECT_EQ(target_.value("testschema", "SELECT i FROM precious"), "7");
  const Migration again = resume(ended, request());
  EXPECT_EQ(again.state, State::kSucceeded) << again.error;
  EXPECT_EQ(differences("testschema"), std::vector<std::string>{});
}

TEST_F(SecondAttack, FindingsStayFewWhateverTheDatabaseHas) {
  source_.sql("testdb3", R"sql(
    CREATE ROLE weak LOGIN PASSWORD 's3cret-of-the-test';
    DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('CREATE TABLE unreadable_%s (i int)', i); END LOOP; END $$)sql");
  Request wanted = with(MigrationOption::kValidate);
  wanted.source.user = "weak";
  wanted.databases = {"testdb3"};
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kValidationFailed);
  ASSERT_THAT(ended.validation.databases, SizeIs(1));
  bool is_bounded = false;
  for (const Validation& validation : ended.validation.databases[0].validations) {
    EXPECT_LE(validation.findings.size(), 51U) << validation.type;
    if (validation.type != "PermissionsValidation") continue;
    EXPECT_EQ(validation.state(), ValidationState::kFailed);
    is_bounded = validation.findings.size() == 51 &&
                 validation.findings.back().message.find("more of this kind") != std::string::npos;
  }
  EXPECT_TRUE(is_bounded);
}

TEST_F(SecondAttack, AMigrationWhoseLockOnTheTargetWasTakenEnds) {
  std::optional<Held> held(std::in_place, source_, target_, "testdb3");
  std::optional<pg::Connection> thief(target_.connect("postgres"));
  const Migration ended = run_and(
      request(), [&](const Migration& now) { return details(now, "testdb3").operation == "MigratingData"; },
      [&](Runner&) {
        target_.sql("postgres",
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                    " AND pid <> pg_backend_pid() AND database IN (SELECT oid FROM pg_database WHERE datname IN"
                    " ('postgres', 'template1'))");
        EXPECT_TRUE(test::wait_until([&] { return pg::try_lock(*thief, pg::AdvisoryLock::kMigration); }));
      });
  held.reset();
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.error, HasSubstr("another migration is at work on the target server"));
}

TEST_F(SecondAttack, ADocumentThatCannotBeReadBlocksNothingForLong) {
  const Migration broken = create(store_, "broken", "", {}, request());
  {
    SqliteFile file(store_.folder() / "migrations.sqlite", SqliteFile::Open::kExisting);
    file.execute("UPDATE migration SET document = '{broken', claimed = 1 WHERE id = ?", {broken.id});
  }
  EXPECT_THAT(store_.find("broken", std::nullopt).error, HasSubstr("delete it, and create another one"));
  create(store_, "next", "", {}, request());
  cancel_and_remove(store_, broken, {});
  EXPECT_TRUE(store_.name_available("broken"));
}

TEST_F(SecondAttack, AResumeForAnotherServerLeavesNothingOfTheFirst) {
  Request wrong = request();
  wrong.target.port = 1;
  const Migration failed = run(wrong);
  ASSERT_EQ(failed.state, State::kValidationFailed);
  Request corrected = request();
  corrected.ssl_mode = "Require";
  const Migration again = resume_migration(store_, failed, corrected);
  EXPECT_EQ(again.target, request().target.host_and_port());
  EXPECT_EQ(again.ssl_mode, "Require");
  EXPECT_EQ(store_.find("first", request().target.host_and_port()).id, again.id);
}

TEST_F(SecondAttack, AMigrationWhoseOwnDatabaseCouldNotBeDroppedKnowsItStill) {
  target_.sql("postgres",
              fmt::format("ALTER DATABASE testdb6 RENAME TO {0}; ALTER DATABASE {0} ALLOW_CONNECTIONS false",
                          kept_name("testdb6")));
  target_.create_database("testdb6", "TEMPLATE template0");
  target_.sql("postgres", "ALTER DATABASE testdb6 IS_TEMPLATE true");  // cannot be dropped
  Request wanted = keeping();
  wanted.option = MigrationOption::kMigrate;
  const Migration dead = died(wanted, false, "", [&](DatabaseDetails& database) {
    database.made = database.anew = true;
    database.target_oid = oid_of("testdb6");
    database.kept_as = kept_name("testdb6");
    database.kept_oid = oid_of(kept_name("testdb6"));
  });
  const Migration failed = resume(dead, wanted);
  EXPECT_EQ(failed.state, State::kFailed);
  EXPECT_THAT(failed.error, HasSubstr("template"));
  EXPECT_EQ(details(failed, "testdb6").target_oid, oid_of("testdb6"));
  target_.sql("postgres", "ALTER DATABASE testdb6 IS_TEMPLATE false");
  const Migration ended = resume(failed, wanted);
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(ours_on_target(), "");
  EXPECT_THAT(sink_.text(), Not(HasSubstr("is not there any more")));
}

TEST_F(SecondAttack, TheKeptDatabaseIsKnownWhenItsSuccessorIsGone) {
  target_.sql("postgres",
              fmt::format("ALTER DATABASE testdb6 RENAME TO {0}; ALTER DATABASE {0} ALLOW_CONNECTIONS false",
                          kept_name("testdb6")));
  const std::uint32_t kept = oid_of(kept_name("testdb6"));
  const Migration dead = died(keeping(), false, "", [&](DatabaseDetails& database) {
    database.made = true;
    database.target_oid = 1;  // of one that is gone
    database.kept_as = kept_name("testdb6");
    database.kept_oid = kept;
  });
  EXPECT_THROW(resume_migration(store_, dead, request()), Error) << "it would forget the kept one";
  source_.sql("testschema", "ALTER TABLE t ADD CONSTRAINT refused CHECK (i < 10) NOT VALID");
  const Migration failed = resume(dead, keeping());
  EXPECT_EQ(details(failed, "testdb6").kept_oid, kept);
}

TEST_F(SecondAttack, ACancellationLeavesWhatAnotherMigrationIsMaking) {
  std::optional<pg::Connection> other(target_.connect("postgres"));
  ASSERT_TRUE(pg::try_lock(*other, pg::AdvisoryLock::kMigration));
  target_.create_database(temporary_name("testdb6"), "TEMPLATE template0");
  target_.sql("postgres", fmt::format("COMMENT ON DATABASE {} IS 'made by a pgsluice migration, which drops it'",
                                      temporary_name("testdb6")));
  const Migration dead =
      died(request(), true, "", [&](DatabaseDetails& database) { database.making = temporary_name("testdb6"); });
  const Migration ended = resume(dead, request());
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(details(ended, "testdb6").message, HasSubstr("another migration is at work on the target server"));
  EXPECT_EQ(ours_on_target(), temporary_name("testdb6"));
  other.reset();
  EXPECT_EQ(resume(ended, request()).state, State::kCanceled);
  EXPECT_EQ(ours_on_target(), "");
}

TEST_F(SecondAttack, AWorkerThatCannotBeStartedLeavesTheTargetFree) {
  const Migration waiting = create(store_, "first", "", {}, request());
  try {
    start_worker(store_, waiting, "{}", {.program = "/no/such/program"});
    ADD_FAILURE() << "it was started";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kSystem) << "it is no fault of who asks";
  }
  EXPECT_EQ(store_.find("first", std::nullopt).state, State::kFailed);
  create(store_, "next", "", {}, request());
}

}  // namespace
}  // namespace pgsluice::migration
