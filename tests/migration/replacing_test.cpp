// Databases of the target that a migration replaces: what is known before, what is kept, and what a worker's death or a
// cancellation leaves.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "migration/target_server.h"
#include "tests/migration/runner_fixture.h"
#include "tests/support/wait_until.h"

namespace pgsluice::migration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ReplacingTest : public RunnerFixture {
 protected:
  void SetUp() override {
    RunnerFixture::SetUp();
    target_.sql("testdb6", "INSERT INTO of_before VALUES (42)");
  }

  const DatabaseDetails& details(const Migration& migration, const std::string& name) const {
    for (const DatabaseDetails& one : migration.details) {
      if (one.name == name) return one;
    }
    throw std::runtime_error("no database " + name);
  }
  // What was in the database before the migration.
  std::string of_before() const {
    try {
      return target_.value("testdb6", "SELECT string_agg(i::text, ',') FROM of_before");
    } catch (const Error& error) {
      return error.describe();
    }
  }
  std::string ours_on_target() const {
    return target_.value("postgres",
                         "SELECT coalesce(string_agg(datname, ','), '') FROM pg_database"
                         " WHERE datname LIKE 'pgsluice%'");
  }
};

TEST_F(ReplacingTest, NothingIsDroppedBeforeEachCopyIsKnownToBeginAlsoWithoutValidations) {
  source_.sql("testdb3", "CREATE ROLE only_here; ALTER TABLE t OWNER TO only_here");
  target_.create_database("testdb3", "TEMPLATE template0");
  Request wanted = request();
  wanted.option = MigrationOption::kMigrate;
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.error, AllOf(HasSubstr("only_here"), HasSubstr("no database of the target was dropped")));
  EXPECT_EQ(of_before(), "42");
  EXPECT_THAT(ours_on_target(), IsEmpty());
  target_.sql("postgres", "CREATE ROLE only_here");
  Runner again(store_, resume_migration(store_, ended, wanted), wanted, sink_);
  EXPECT_EQ(again.run().state, State::kSucceeded);
}

TEST_F(ReplacingTest, WhatIsReplacedIsSaidBeforeAndAfterwards) {
  const pg::Connection session = target_.connect("testdb6");
  const Migration ended = run(request());
  ASSERT_EQ(ended.state, State::kSucceeded) << ended.error;
  std::string said;
  for (const Validation& validation : ended.validation.server) {
    for (const Finding& finding : validation.findings) said += finding.message + "\n";
  }
  EXPECT_THAT(said, HasSubstr("database testdb6: is on the target ("));
  EXPECT_THAT(said, HasSubstr("1 session) and will be dropped"));
  EXPECT_THAT(details(ended, "testdb6").replaced, AllOf(HasSubstr("owner postgres"), HasSubstr("1 session")));
  EXPECT_THAT(details(ended, "testdb3").replaced, IsEmpty());
  EXPECT_THAT(sink_.text(), HasSubstr("is to be dropped now"));
}

TEST_F(ReplacingTest, ADatabaseThatIsKeptGoesWhenTheNewOneIsVerified) {
  Request wanted = request();
  wanted.overwrite = Overwrite::kKeep;
  const Migration ended = run(wanted);
  ASSERT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_THAT(ours_on_target(), IsEmpty());
  EXPECT_EQ(differences("testdb6"), std::vector<std::string>{});
}

TEST_F(ReplacingTest, ADatabaseThatIsKeptComesBackWithACancellation) {
  Request wanted = request();
  wanted.overwrite = Overwrite::kKeep;
  std::optional<Held> held(std::in_place, source_, target_, "testdb6");
  const Migration ended = run_and(
      wanted, [&](const Migration& now) { return details(now, "testdb6").operation == "MigratingData"; },
      [](Runner& runner) { runner.cancel(); });
  held.reset();
  EXPECT_EQ(ended.state, State::kCanceled) << ended.error;
  EXPECT_EQ(of_before(), "42");
  EXPECT_THAT(details(ended, "testdb6").message, HasSubstr("has its name again"));
  EXPECT_THAT(ours_on_target(), IsEmpty());
  EXPECT_FALSE(target_has("testdb3"));
}

class AfterAWorkersDeath : public ReplacingTest {
 protected:
  std::uint32_t oid_of(const std::string& database) const {
    return static_cast<std::uint32_t>(
        std::stoul(target_.value("postgres", "SELECT oid FROM pg_database WHERE datname = '" + database + "'")));
  }
  // The database that was there, put aside for a new one.
  void put_aside(const std::string& kept_as) const {
    target_.sql("postgres", "ALTER DATABASE testdb6 RENAME TO " + kept_as);
    target_.sql("postgres", "ALTER DATABASE " + kept_as + " ALLOW_CONNECTIONS false");
  }
  enum class Cancel { kNo, kAccepted };
  // What a worker has recorded of testdb6 when it dies.
  Migration died(const Request& wanted, Cancel cancel, const std::function<void(DatabaseDetails&)>& record) {
    Migration migration = create(store_, "first", "", {}, wanted);
    {
      Claim claim = store_.claim(migration.id);
      migration.substate = Substate::kMigratingData;
      record(migration.details[1]);
      claim.write(migration);
      if (cancel == Cancel::kAccepted) store_.request_cancel(migration);
    }
    return store_.find("first", std::nullopt);
  }
  Migration resume(const Migration& dead, const Request& wanted) {
    return Runner(store_, resume_migration(store_, dead, wanted), wanted, sink_).run();
  }
  Request keeping() const {
    Request wanted = request();
    wanted.overwrite = Overwrite::kKeep;
    return wanted;
  }
};

TEST_F(AfterAWorkersDeath, ADatabaseThatIsMadeAgainDoesNotLetTheKeptOneBeForgotten) {
  for (const Cancel cancel : {Cancel::kNo, Cancel::kAccepted}) {
    SCOPED_TRACE(cancel == Cancel::kNo ? "resumed" : "canceled");
    put_aside("pgsluice_kept_one");
    target_.create_database("testdb6");
    const Migration dead = died(keeping(), cancel, [&](DatabaseDetails& database) {
      database.made = database.anew = true;
      database.target_oid = oid_of("testdb6");
      database.replaced = "7 MB, owner postgres, 0 sessions";
      database.kept_as = "pgsluice_kept_one";
    });
    const Migration ended = resume(dead, keeping());
    EXPECT_EQ(ended.state, cancel == Cancel::kNo ? State::kSucceeded : State::kCanceled) << ended.error;
    EXPECT_THAT(ours_on_target(), IsEmpty());
    if (cancel == Cancel::kAccepted) {
      EXPECT_EQ(of_before(), "42");
    } else {
      store_.remove(ended);
      target_.create_database("testdb6");
      target_.sql("testdb6", "CREATE TABLE of_before AS SELECT 42 AS i");
    }
  }
}

TEST_F(AfterAWorkersDeath, ACancellationThatWasAcceptedComesBeforeEverythingElse) {
  target_.create_database("testdb3");
  target_.sql("testdb3", "CREATE TABLE precious AS SELECT 7 AS i");
  Request wanted = request();
  wanted.option = MigrationOption::kMigrate;
  const Migration dead =
      died(wanted, Cancel::kAccepted, [](DatabaseDetails& database) { database.making = temporary_name("testdb6"); });
  const Migration ended = resume(dead, wanted);
  EXPECT_EQ(ended.state, State::kCanceled) << ended.error;
  EXPECT_EQ(target_.value("testdb3", "SELECT i FROM precious"), "7");
  EXPECT_EQ(of_before(), "42");
  for (const DatabaseDetails& database : ended.details) {
    EXPECT_EQ(database.message, "canceled; the target was not changed") << database.name;
  }
}

TEST_F(AfterAWorkersDeath, ANameThatAnotherDatabaseHasGotIsNotSaidToBeGivenBack) {
  put_aside("pgsluice_kept_one");
  const Migration dead = died(keeping(), Cancel::kAccepted, [&](DatabaseDetails& database) {
    database.replaced = "7 MB, owner postgres, 0 sessions";
    database.kept_as = "pgsluice_kept_one";
    database.target_oid = 1;
    database.made = true;
  });
  target_.create_database("testdb6");  // a stranger's
  const Migration ended = resume(dead, keeping());
  EXPECT_EQ(ended.state, State::kCanceled) << ended.error;
  EXPECT_THAT(details(ended, "testdb6").message,
              AllOf(HasSubstr("kept as pgsluice_kept_one"), HasSubstr("another database has got its name")));
  EXPECT_EQ(ours_on_target(), "pgsluice_kept_one");
}

TEST_F(AfterAWorkersDeath, WhatACheckHasMadeIsDroppedAndTheTargetWasNotChanged) {
  const std::string temporary = temporary_name("testdb6");
  target_.create_database(temporary);
  target_.sql("postgres", "COMMENT ON DATABASE " + temporary + " IS 'made by a pgsluice migration, which drops it'");
  const Migration dead =
      died(request(), Cancel::kAccepted, [&](DatabaseDetails& database) { database.making = temporary; });
  const Migration ended = resume(dead, request());
  EXPECT_EQ(ended.state, State::kCanceled) << ended.error;
  EXPECT_EQ(details(ended, "testdb6").message, "canceled; the target was not changed");
  EXPECT_THAT(ours_on_target(), IsEmpty());
  EXPECT_EQ(of_before(), "42");
}

TEST_F(AfterAWorkersDeath, OneThatNobodyCarriesOutNamesTheKeptOne) {
  put_aside("pgsluice_kept_one");
  target_.create_database("testdb6");
  const Migration dead = died(keeping(), Cancel::kNo, [&](DatabaseDetails& database) {
    database.made = true;
    database.target_oid = oid_of("testdb6");
    database.kept_as = "pgsluice_kept_one";
  });
  const Migration waiting = resume_migration(store_, dead, keeping());
  store_.request_cancel(waiting);
  const Migration ended = store_.find("first", std::nullopt);
  EXPECT_EQ(ended.state, State::kCanceled);
  EXPECT_THAT(details(ended, "testdb6").message, HasSubstr("kept as pgsluice_kept_one"));
}

TEST_F(ReplacingTest, ADatabaseThatHasATemporaryNameByChanceIsLeft) {
  const std::string name = temporary_name("testdb3");
  target_.create_database(name);
  target_.sql(name, "CREATE TABLE precious AS SELECT 7 AS i");
  Request wanted = request();
  wanted.databases = {"testdb3"};
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.error, HasSubstr("no migration has made"));
  EXPECT_EQ(target_.value(name, "SELECT i FROM precious"), "7");
  EXPECT_FALSE(target_has("testdb3"));
}

TEST_F(ReplacingTest, ADatabaseOfTheSourceWithSuchANameIsRefused) {
  const std::string name = temporary_name("testdb3");
  source_.create_database(name);
  Request wanted = request();
  wanted.databases = {name};
  const Migration ended = run(wanted);
  EXPECT_EQ(ended.state, State::kFailed);
  EXPECT_THAT(ended.error, HasSubstr("names to databases of its own"));
}

TEST_F(ReplacingTest, TheKeptOneOfAVerifiedDatabaseComesBackWhenTheMigrationIsCanceled) {
  Request wanted = request();
  wanted.overwrite = Overwrite::kKeep;
  wanted.databases = {"testdb6", "testschema"};
  std::optional<Held> held(std::in_place, source_, target_, "testschema");
  const Migration ended = run_and(
      wanted,
      [&](const Migration& now) {
        return details(now, "testdb6").state == DatabaseState::kSucceeded &&
               details(now, "testschema").operation == "MigratingData";
      },
      [](Runner& runner) { runner.cancel(); });
  held.reset();
  EXPECT_EQ(ended.state, State::kCanceled) << ended.error;
  EXPECT_EQ(of_before(), "42");
  EXPECT_THAT(ours_on_target(), IsEmpty());
}

TEST_F(ReplacingTest, ACancellationThatIsAcceptedAtTheLastMomentIsCarriedOut) {
  bool is_accepted = false;
  const Migration ended = run_and(
      request(),
      [](const Migration& now) {
        return std::all_of(now.details.begin(), now.details.end(),
                           [](const DatabaseDetails& database) { return database.state == DatabaseState::kSucceeded; });
      },
      [&](Runner&) {
        try {
          Store other(store_.folder());
          other.request_cancel(other.find("first", std::nullopt));
          is_accepted = true;
        } catch (const Error&) {
          // It had come to its end.
        }
      });
  EXPECT_EQ(ended.state, is_accepted ? State::kCanceled : State::kSucceeded) << ended.error;
  EXPECT_EQ(target_has("testdb3"), !is_accepted);
}

// The state that a worker leaves that was killed between DROP DATABASE and RENAME, with a cancellation accepted.
TEST_F(ReplacingTest, ACancellationIsCarriedOutAfterAWorkersDeath) {
  const std::string temporary = "pgsluice_left_behind";
  target_.sql("postgres", "DROP DATABASE testdb6");
  target_.sql("postgres", "CREATE DATABASE " + temporary + " TEMPLATE template0 ALLOW_CONNECTIONS false");
  Migration migration = create(store_, "first", "", {}, request());
  {
    Claim claim = store_.claim(migration.id);
    migration.substate = Substate::kMigratingData;
    DatabaseDetails& database = migration.details[1];
    ASSERT_EQ(database.name, "testdb6");
    database.making = temporary;
    database.replaced = "7 MB, owner postgres, 0 sessions";
    database.target_oid = static_cast<std::uint32_t>(
        std::stoul(target_.value("postgres", "SELECT oid FROM pg_database WHERE datname = '" + temporary + "'")));
    claim.write(migration);
    store_.request_cancel(migration);
  }
  const Migration dead = store_.find("first", std::nullopt);
  EXPECT_EQ(dead.state, State::kFailed);
  EXPECT_THAT(dead.error, HasSubstr("it was canceled"));
  Runner again(store_, resume_migration(store_, dead, request()), request(), sink_);
  const Migration ended = again.run();
  EXPECT_EQ(ended.state, State::kCanceled) << ended.error;
  EXPECT_THAT(ours_on_target(), IsEmpty());
  EXPECT_THAT(details(ended, "testdb6").message,
              AllOf(HasSubstr("the one that was there (7 MB"), HasSubstr("had been dropped"),
                    Not(HasSubstr("the target was not changed"))));
}

// A worker that was killed when it had recorded that it renames the database, and had not renamed it.
TEST_F(ReplacingTest, ADatabaseThatWasNotRenamedYetIsAsItWas) {
  target_.sql("postgres", "CREATE DATABASE pgsluice_left_behind TEMPLATE template0 ALLOW_CONNECTIONS false");
  Request wanted = request();
  wanted.overwrite = Overwrite::kKeep;
  Migration migration = create(store_, "first", "", {}, wanted);
  {
    Claim claim = store_.claim(migration.id);
    migration.substate = Substate::kMigratingData;
    DatabaseDetails& database = migration.details[1];
    ASSERT_EQ(database.name, "testdb6");
    database.making = "pgsluice_left_behind";
    database.kept_as = "pgsluice_kept";
    database.target_oid = static_cast<std::uint32_t>(
        std::stoul(target_.value("postgres", "SELECT oid FROM pg_database WHERE datname = 'pgsluice_left_behind'")));
    claim.write(migration);
    store_.request_cancel(migration);
  }
  Runner again(store_, resume_migration(store_, store_.find("first", std::nullopt), wanted), wanted, sink_);
  const Migration ended = again.run();
  EXPECT_EQ(ended.state, State::kCanceled) << ended.error;
  EXPECT_EQ(of_before(), "42");
  EXPECT_THAT(ours_on_target(), IsEmpty());
}

// A worker that dies at whatever moment leaves no database that nobody may connect to.
TEST_F(ReplacingTest, ADatabaseOfThatNameIsNeverClosedHoweverBusyItIs) {
  std::atomic<bool> is_ended = false;
  std::atomic<int> closed = 0;
  std::jthread watcher([&] {
    pg::Connection server = target_.connect("postgres");
    while (!is_ended) {
      const pg::Result now = server.execute("SELECT datallowconn FROM pg_database WHERE datname = 'testdb6'");
      if (!now.empty() && !now[0].boolean(0)) ++closed;
    }
  });
  // An application that comes back as soon as it is ended.
  std::jthread application([&] {
    while (!is_ended) {
      try {
        pg::Connection session = target_.connect("testdb6");
        session.execute("SELECT pg_sleep(2)");
      } catch (const Error&) {
        continue;
      }
    }
  });
  ASSERT_TRUE(test::wait_until([&] {
    return target_.value("postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = 'testdb6'") == "1";
  }));
  Request wanted = request();
  wanted.option = MigrationOption::kMigrate;
  wanted.overwrite = Overwrite::kKeep;
  wanted.verify = false;
  const Migration ended = run(wanted);
  is_ended = true;
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(closed, 0);
}

TEST_F(ReplacingTest, ACancellationThatWasAcceptedIsNotLostToATermSignal) {
  std::optional<Held> held(std::in_place, source_, target_, "testdb3");
  const Migration ended = run_and(
      request(), [&](const Migration& now) { return details(now, "testdb3").operation == "MigratingData"; },
      [&](Runner& runner) {
        Store other(store_.folder());
        other.request_cancel(other.find("first", std::nullopt));
        runner.stop();
      });
  held.reset();
  EXPECT_EQ(ended.state, State::kCanceled) << ended.error;
  EXPECT_FALSE(target_has("testdb3"));
}

// A worker that died right after the new database had its name: it is known by its number.
TEST_F(ReplacingTest, ADatabaseThatHasItsNameAlreadyIsTakenUp) {
  target_.create_database("testdb3", "TEMPLATE template0");
  Request wanted = request();
  wanted.overwrite = Overwrite::kNo;
  wanted.databases = {"testdb3"};
  Migration migration = create(store_, "first", "", {}, wanted);
  {
    Claim claim = store_.claim(migration.id);
    migration.substate = Substate::kMigratingData;
    migration.details[0].making = "pgsluice_x";
    migration.details[0].making_oid = static_cast<std::uint32_t>(
        std::stoul(target_.value("postgres", "SELECT oid FROM pg_database WHERE datname = 'testdb3'")));
    claim.write(migration);
  }
  const Migration dead = store_.find("first", std::nullopt);
  ASSERT_EQ(dead.state, State::kFailed);
  Runner again(store_, resume_migration(store_, dead, wanted), wanted, sink_);
  const Migration ended = again.run();
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(differences("testdb3"), std::vector<std::string>{});
}

TEST_F(ReplacingTest, BeforeAnythingIsMadeAResumeMayCorrectTheFile) {
  Request wrong = request();
  wrong.source.port = 1;
  wrong.databases = {"testdb3", "no_such_database"};
  const Migration failed = run(wrong);
  EXPECT_EQ(failed.state, State::kValidationFailed);
  Runner again(store_, resume_migration(store_, failed, request()), request(), sink_);
  const Migration ended = again.run();
  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_EQ(ended.databases, request().databases);
  EXPECT_EQ(ended.source_server, request().source.text());
}

}  // namespace
}  // namespace pgsluice::migration
