// What happens around a clone: a disk that fills up, no room for connections, settings of an administrator, sessions
// that change the source or end ours, a cancellation. Each stops the clone at a moment that is known: the rows of one
// table, or its index, wait on the target for a gate that the test opens.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <thread>

#include "base/subprocess.h"
#include "base/wait.h"
#include "tests/pipeline/clone_fixture.h"
#include "tests/pipeline/running_clone.h"

namespace pgsluice::test {
namespace {

using pipeline::CloneOptions;
using std::chrono::milliseconds;
using namespace ::testing;  // NOLINT: matchers and generators

constexpr const char* kDatabase = "environment";

// gated is large enough to travel by itself, and before later: its function may read any table, so it comes after
// those whose functions don't, and the function of later names it.
constexpr const char* kTables = R"(
CREATE TABLE gated (id int CHECK (pass(id, 1)), text text);
INSERT INTO gated SELECT g, repeat('x', 1000) FROM generate_series(1, 20000) g;
CREATE INDEX gated_index ON gated (id, pass(id, 2));
CREATE SCHEMA apart;
CREATE TYPE apart.mood AS ENUM ('good', 'bad');
CREATE FUNCTION apart.behind_gated(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN RETURN to_regclass('public.gated') IS NOT NULL; END $$;
CREATE TABLE apart.later (id int PRIMARY KEY CHECK (apart.behind_gated(id)), text text, mood apart.mood);
INSERT INTO apart.later SELECT g, md5(g::text), 'good' FROM generate_series(1, 1000) g;
CREATE SEQUENCE counter; SELECT nextval('counter');
)";
constexpr int kRowsGate = 1, kIndexGate = 2;

class Environment : public CloneFixture {
 protected:
  void SetUp() override { make(kDatabase, std::string(kPassFunction) + kTables); }

  /// One table after the other.
  CloneOptions wanted() const {
    CloneOptions result = options(kDatabase);
    result.table_jobs = 1;
    return result;
  }
  std::string outcome_of_resumed(CloneOptions options) {
    options.earlier_run = pipeline::EarlierRun::kResume;
    return outcome_of(options);
  }
  std::string outcome_of(const CloneOptions& options) { return RunningClone(options, sink_).outcome(); }

  /// Of both servers, without rights, that own what the test gives them. Databases with their things are gone by now.
  static void create_role(const std::string& name, const std::string& options) {
    for (const Cluster* server : {&shared_source(), &shared_target()}) {
      server->sql("postgres", fmt::format("DROP ROLE IF EXISTS {0}; CREATE ROLE {0} LOGIN {1}", name, options));
    }
  }
  static void drop_role(const std::string& name) {
    for (const Cluster* server : {&shared_source(), &shared_target()}) {
      server->create_database(kDatabase);
      server->sql("postgres", "DROP ROLE " + name);
    }
  }

  static std::string rows_of_later(const Cluster& server) {
    return server.value(kDatabase, "SELECT count(*) || md5(string_agg(l::text, ' ' ORDER BY id)) FROM apart.later l");
  }
  static std::vector<std::string> differences() { return CloneFixture::differences(kDatabase); }
};

/// Every session in the database but the tests' own.
constexpr const char* kSessions =
    "FROM pg_stat_activity WHERE datname = 'environment' AND backend_type = 'client backend'"
    " AND application_name <> 'pgsluice: test'";
// Whoever waits for a lock, and for longer than the limits of an administrator in these tests.
constexpr const char* kWaits =
    "EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'environment' AND wait_event_type = 'Lock'"
    " AND clock_timestamp() - query_start > interval '200 ms')";

bool succeeds(const std::vector<std::string>& command) { return run_command({.command = command}).exit_code == 0; }

/// A file system of a few MB for the target's database.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& size) : folder_((shared_target().folder() / "small").string()) {
    std::filesystem::create_directory(folder_);
    mounted_ = succeeds({"mount", "-t", "tmpfs", "-o", "mode=0777,size=" + size, "pgsluice-test", folder_});
    if (!mounted_) return;
    shared_target().create_tablespace("small/space");
    shared_target().create_database(kDatabase, "TEMPLATE template0 TABLESPACE \"small/space\"");
  }
  ~SmallDisk() {
    if (!mounted_) return;
    shared_target().create_database(kDatabase);
    shared_target().sql("postgres", "DROP TABLESPACE \"small/space\"");
    EXPECT_TRUE(succeeds({"umount", folder_}));
  }
  explicit operator bool() const { return mounted_; }
  bool grow(const std::string& size) const { return succeeds({"mount", "-o", "remount,size=" + size, folder_}); }

 private:
  std::string folder_;
  bool mounted_ = false;
};

class FullDisk : public Environment, public WithParamInterface<bool> {};  // of a table in parts

TEST_P(FullDisk, IsNamedWithTheTableAndOnceThereIsRoomTheCloneEndsEqual) {
  const SmallDisk disk("18m");
  if (!disk) GTEST_SKIP() << "NOT TESTED: a small disk can only be mounted by root, and not everywhere";
  CloneOptions options = wanted();
  options.table_jobs = 2;
  options.database_properties = false;  // the source's database is in another tablespace
  if (GetParam()) options.split = {.when = copy::SplitOptions::When::kLarger, .size = {4 * 1024 * 1024}};
  const auto names_all = AllOf(HasSubstr("target: table public.gated"), HasSubstr("SQLSTATE 53100"));
  EXPECT_THAT(outcome_of(options), names_all);
  EXPECT_THAT(outcome_of_resumed(options), names_all);
  ASSERT_TRUE(disk.grow("512m"));
  EXPECT_EQ(outcome_of_resumed(options), "");
  shared_target().sql("postgres", "ALTER DATABASE environment SET TABLESPACE pg_default");
  EXPECT_THAT(differences(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(In, FullDisk, Bool());

TEST_F(Environment, AServerWithoutAFreeConnectionIsWaitedFor) {
  const Cluster target({.settings = {"max_connections = 8", "superuser_reserved_connections = 0"}});
  target.create_database(kDatabase);
  std::vector<pg::Connection> others;
  while (others.size() < 7) others.push_back(target.connect("postgres"));
  CloneOptions options = wanted();
  options.target = target.conninfo(kDatabase);
  options.retry_for = std::chrono::seconds(60);
  RunningClone running(options, sink_);
  EXPECT_TRUE(running.meets([&] { return sink_.text().find("53300") != std::string::npos; }));
  others.clear();
  EXPECT_EQ(running.outcome(), "");
  EXPECT_THAT(compare_databases(shared_source().conninfo(kDatabase), target.conninfo(kDatabase), server_bindir()),
              IsEmpty());
}

class ConnectionLimit : public Environment, public WithParamInterface<const char*> {};

TEST_P(ConnectionLimit, ThatStaysIsNamedAndOnceItIsGoneTheCloneIsResumed) {
  create_role("few", "NOSUPERUSER");
  for (const Cluster* server : {&shared_source(), &shared_target()}) {
    server->create_database(kDatabase, "TEMPLATE template0 OWNER few");
  }
  shared_source().sql(kDatabase, std::string("SET ROLE few;") + kPassFunction + kTables);
  // Enough for a clone by itself, so that it is begun, but others have two of the three sessions.
  shared_target().sql("postgres", fmt::format("ALTER {} CONNECTION LIMIT 3", GetParam()));
  std::vector<pg::Connection> others;
  while (others.size() < 2) {
    others.push_back(pg::Connection::open(
        pg::ConnInfo::parse(shared_target().conninfo(kDatabase, "few"), Side::kTarget), "other", Log(), {}));
  }
  CloneOptions options = wanted();
  options.target = shared_target().conninfo(kDatabase, "few");
  RunningClone running(options, sink_);
  EXPECT_THAT(running.outcome(), AllOf(HasSubstr("target: "), HasSubstr("too many connections")));
  ASSERT_TRUE(running.error().has_value());
  EXPECT_TRUE(running.error()->has(Remedy::kResume));
  EXPECT_EQ(running.error()->sqlstate(), "53300");
  others.clear();
  shared_target().sql("postgres", fmt::format("ALTER {} CONNECTION LIMIT -1", GetParam()));
  EXPECT_EQ(outcome_of_resumed(options), "");
  EXPECT_THAT(differences(), IsEmpty());
  drop_role("few");
}

INSTANTIATE_TEST_SUITE_P(Of, ConnectionLimit, Values("ROLE few", "DATABASE environment"));

class ShortLimits : public Environment, public WithParamInterface<const char*> {};

TEST_P(ShortLimits, OfAnAdministratorAreNotTheClones) {
  create_role("hurried", "SUPERUSER");
  pg::Connection lock = shared_source().connect(kDatabase);
  lock.execute("BEGIN; LOCK TABLE gated IN ACCESS EXCLUSIVE MODE");
  Gate rows(kDatabase, kRowsGate);
  Gate index(kDatabase, kIndexGate);
  for (const Cluster* server : {&shared_source(), &shared_target()}) {
    for (const char* limit :
         {"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"}) {
      server->sql("postgres", fmt::format("ALTER {} SET {} = '1s'", GetParam(), limit));
    }
  }
  CloneOptions options = wanted();
  options.source = shared_source().conninfo(kDatabase, "hurried");
  options.target = shared_target().conninfo(kDatabase, "hurried");
  RunningClone running(options, sink_);
  EXPECT_TRUE(running.meets([] { return is_true(shared_source(), kWaits); }));
  lock.execute("ROLLBACK");
  EXPECT_TRUE(running.meets([&] { return rows.is_reached() && is_true(shared_target(), kWaits); }));
  rows.open();
  EXPECT_TRUE(running.meets([&] { return index.is_reached() && is_true(shared_target(), kWaits); }));
  index.open();
  EXPECT_EQ(running.outcome(), "");
  EXPECT_THAT(sink_.text(), Not(HasSubstr("going on when"))) << "a session was lost";
  EXPECT_THAT(differences(), IsEmpty());
  drop_role("hurried");
}

INSTANTIATE_TEST_SUITE_P(Of, ShortLimits, Values("ROLE hurried", "DATABASE environment"));

constexpr const char* kDisturbances[] = {
    "TRUNCATE apart.later",
    "DROP TABLE apart.later",
    "ALTER TABLE apart.later ALTER text TYPE varchar(3) USING left(text, 3)",
    "DELETE FROM apart.later",
    "ALTER SCHEMA apart RENAME TO elsewhere",
    "ALTER TYPE apart.mood RENAME VALUE 'good' TO 'better'",
};
class Disturbance : public Environment, public WithParamInterface<const char*> {};

TEST_P(Disturbance, OfATableWhileAnotherIsCopiedIsNoSilentLoss) {
  const std::string before = rows_of_later(shared_source());
  Gate gate(kDatabase, kRowsGate);
  RunningClone running(wanted(), sink_);
  ASSERT_TRUE(running.meets([&] { return gate.is_reached(); })) << running.outcome();
  ASSERT_EQ(shared_target().value(kDatabase, "SELECT count(*) FROM apart.later"), "0");
  auto other = std::async(std::launch::async, [] { shared_source().sql(kDatabase, GetParam()); });
  const auto done = [&] { return other.wait_for(milliseconds(0)) == std::future_status::ready; };
  // It is done, or waits for the clone's locks.
  EXPECT_TRUE(wait_until([&] { return done() || is_true(shared_source(), kWaits); }));
  gate.open();
  const std::string outcome = running.outcome();
  other.get();
  const bool named = outcome.find("table apart.later") != std::string::npos;
  EXPECT_TRUE(outcome.empty() ? rows_of_later(shared_target()) == before : named) << outcome;
}

// The snapshot is older than the change, and the locks are younger.
TEST_P(Disturbance, OfATableBetweenTheSnapshotAndTheLocksIsNoSilentLoss) {
  pg::Connection other = shared_source().connect(kDatabase);
  other.execute(std::string("BEGIN;") + GetParam());
  RunningClone running(wanted(), sink_);
  running.meets([&] { return is_true(shared_source(), kWaits); });  // unless it takes no lock on the table
  other.execute("COMMIT");
  const std::string outcome = running.outcome();
  if (outcome.empty()) {
    const std::string rows = shared_target().value(kDatabase, "SELECT count(*) FROM apart.later");
    EXPECT_TRUE(rows == "1000" || differences().empty()) << rows;
  } else {
    EXPECT_THAT(outcome, AnyOf(HasSubstr("apart.later"), HasSubstr("schema \"apart\"")));
  }
}

INSTANTIATE_TEST_SUITE_P(By, Disturbance, ValuesIn(kDisturbances));

TEST_F(Environment, ASequenceThatMovesWhileRowsAreCopiedIsNotBehind) {
  Gate gate(kDatabase, kRowsGate);
  RunningClone running(wanted(), sink_);
  ASSERT_TRUE(running.meets([&] { return gate.is_reached(); })) << running.outcome();
  shared_source().sql(kDatabase, "SELECT nextval('counter') FROM generate_series(1, 1000)");
  gate.open();
  EXPECT_EQ(running.outcome(), "");
  EXPECT_EQ(shared_target().value(kDatabase, "SELECT nextval('counter')"), "1002");
}

class Styles : public Environment, public WithParamInterface<copy::FormatWish> {};

TEST_P(Styles, OfTheServersChangeNoDate) {
  shared_source().sql(kDatabase, R"(
      CREATE TABLE dates (id int PRIMARY KEY, day date DEFAULT '2024-03-04', at timestamptz, span interval, days date[],
                          within daterange, CHECK (day > '2001-02-03'::date));
      INSERT INTO dates SELECT g, '2024-01-01'::date + g, '2024-01-01 12:00Z'::timestamptz + g * interval '1 day 1 s',
        g * interval '-1 month 2 days -3 hours', ARRAY['2024-03-04'::date + g], daterange('2024-01-02', '2024-03-04')
        FROM generate_series(1, 400) g;
      CREATE INDEX ON dates (id) WHERE day < '2024-05-06'::date;
      CREATE TABLE by_day (day date, span interval DEFAULT '-1 day 2:03') PARTITION BY RANGE (day);
      CREATE TABLE by_day_1 PARTITION OF by_day FOR VALUES FROM ('2024-03-04') TO ('2024-04-03');
      ALTER DATABASE environment SET DateStyle = 'sql, dmy'; ALTER DATABASE environment SET IntervalStyle = 'sql_standard';
      ALTER DATABASE environment SET TimeZone = 'Asia/Kathmandu')");
  shared_target().sql("postgres", R"(
      ALTER DATABASE environment SET DateStyle = 'iso, mdy'; ALTER DATABASE environment SET IntervalStyle = 'postgres_verbose';
      ALTER DATABASE environment SET TimeZone = 'America/St_Johns')");
  CloneOptions options = wanted();
  options.format = GetParam();
  EXPECT_EQ(outcome_of(options), "");
  EXPECT_THAT(differences(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(In, Styles, Values(copy::FormatWish::kText, copy::FormatWish::kBinary));

TEST_F(Environment, ARoleThatLosesBypassrlsInMidRunGetsAnErrorAndNotHalfOfTheRows) {
  create_role("reader", "BYPASSRLS");
  shared_source().sql(kDatabase,
                      "GRANT pg_read_all_data TO reader; CREATE POLICY half ON apart.later USING (id <= 500);"
                      "ALTER TABLE apart.later ENABLE ROW LEVEL SECURITY");
  Gate gate(kDatabase, kRowsGate);
  CloneOptions options = wanted();
  options.source = shared_source().conninfo(kDatabase, "reader");
  RunningClone running(options, sink_);
  ASSERT_TRUE(running.meets([&] { return gate.is_reached(); })) << running.outcome();
  shared_source().sql("postgres", "ALTER ROLE reader NOBYPASSRLS");
  gate.open();
  EXPECT_THAT(running.outcome(), AllOf(HasSubstr("source: table apart.later"), HasSubstr("SQLSTATE 42501")));
  EXPECT_EQ(shared_target().value(kDatabase, "SELECT count(*) FROM apart.later"), "0");
  drop_role("reader");
}

class AllSessions : public Environment, public WithParamInterface<std::tuple<Side, bool>> {};

TEST_P(AllSessions, EndedAtOnceInMidCopyAreReplacedOrWithoutALedgerEndTheClone) {
  const auto [side, ledger] = GetParam();
  const Cluster& server = side == Side::kSource ? shared_source() : shared_target();
  Gate gate(kDatabase, kRowsGate);
  CloneOptions options = wanted();
  options.retry_for = std::chrono::seconds(60);
  options.ledger = ledger;
  RunningClone running(options, sink_);
  ASSERT_TRUE(running.meets([&] { return gate.is_reached(); })) << running.outcome();
  ASSERT_TRUE(is_true(server, fmt::format("count(*) > 1 {}", kSessions)));
  server.sql("postgres", fmt::format("SELECT pg_terminate_backend(pid) {}", kSessions));
  gate.open();
  const std::string outcome = running.outcome();
  if (ledger) {
    EXPECT_EQ(outcome, "");
    EXPECT_THAT(sink_.text(), HasSubstr("going on when the servers can be reached"));
    EXPECT_THAT(differences(), IsEmpty());  // and no schema pgsluice
  } else {
    ASSERT_TRUE(running.error().has_value()) << outcome;
    EXPECT_EQ(running.error()->side(), side) << outcome;
    EXPECT_TRUE(running.error()->poisons_connection()) << outcome;
  }
}

INSTANTIATE_TEST_SUITE_P(Of, AllSessions, Combine(Values(Side::kSource, Side::kTarget), Bool()));

enum class Moment { kLocks, kRows, kIndex };
std::string sessions_of(const Cluster& server) {
  return server.value("postgres", fmt::format("SELECT coalesce(string_agg(application_name, ', '), '') {}", kSessions));
}
class Cancellation : public Environment, public WithParamInterface<Moment> {};

TEST_P(Cancellation, LeavesNoSessionBehindAndIsResumed) {
  std::optional<pg::Connection> lock;
  std::optional<Gate> gate;
  if (GetParam() == Moment::kLocks) {
    lock = shared_source().connect(kDatabase);
    lock->execute("BEGIN; LOCK TABLE gated IN ACCESS EXCLUSIVE MODE");
  } else {
    gate.emplace(kDatabase, GetParam() == Moment::kRows ? kRowsGate : kIndexGate);
  }
  {
    RunningClone running(wanted(), sink_);
    ASSERT_TRUE(running.meets([&] { return gate ? gate->is_reached() : is_true(shared_source(), kWaits); }))
        << running.outcome();
    running.cancel();
    // While the lock and the gate are still closed.
    for (const Cluster* server : {&shared_source(), &shared_target()}) {
      wait_until([&] { return sessions_of(*server).empty(); });
      EXPECT_EQ(sessions_of(*server), "") << (server == &shared_source() ? "source" : "target");
    }
    const std::string outcome = running.outcome();
    ASSERT_TRUE(running.error().has_value()) << outcome;
    EXPECT_EQ(running.error()->kind(), ErrorKind::kCancelled) << outcome;
  }
  lock.reset();
  gate.reset();
  EXPECT_EQ(outcome_of_resumed(wanted()), "");
  EXPECT_THAT(differences(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(In, Cancellation, Values(Moment::kLocks, Moment::kRows, Moment::kIndex));

// pg_dump waits for a lock of somebody else when the session that reads the catalog is ended.
TEST_F(Environment, ASessionThatIsLostBeforeTheStartIsReplaced) {
  make(kDatabase, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i");
  pg::Connection other = shared_source().connect(kDatabase);
  other.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
  CloneOptions wanted = options(kDatabase);
  wanted.retry_for = std::chrono::seconds(30);
  RunningClone running(wanted, sink_);
  ASSERT_TRUE(running.meets([&] {
    return is_true(shared_source(),
                   "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgsluice: pg_dump'"
                   " AND wait_event_type = 'Lock')");
  })) << running.outcome();
  shared_source().sql("postgres",
                      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                      " WHERE application_name = 'pgsluice: catalog'");
  other.execute("ROLLBACK");
  ASSERT_TRUE(running.meets([&] { return sink_.text().find("begin again") != std::string::npos; }))
      << running.outcome();
  EXPECT_EQ(running.outcome(), "");
  EXPECT_EQ(differences(), std::vector<std::string>{});
}

// Refused connections are waited for as long as --retry-for says, once both servers have been reached.
TEST_F(Environment, AServerThatIsAwayForAWhileBeforeTheStartIsWaitedFor) {
  make(kDatabase, "");
  test::Cluster source;
  source.create_database(kDatabase);
  source.sql(kDatabase, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i");
  CloneOptions wanted = options(kDatabase);
  wanted.source = source.conninfo(kDatabase);
  wanted.retry_for = std::chrono::seconds(60);
  std::optional<pg::Connection> other(source.connect(kDatabase));
  other->execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
  RunningClone running(wanted, sink_);
  ASSERT_TRUE(running.meets([&] {
    return is_true(source,
                   "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgsluice: pg_dump'"
                   " AND wait_event_type = 'Lock')");
  })) << running.outcome();
  other.reset();
  source.kill();
  ASSERT_TRUE(running.meets([&] {
    return sink_.text().find("refused") != std::string::npos || sink_.text().find("No such file") != std::string::npos;
  })) << running.outcome();
  source.start();
  EXPECT_EQ(running.outcome(), "");
  EXPECT_EQ(test::shared_target().value(kDatabase, "SELECT count(*) FROM t"), "1000");
}

TEST_F(Environment, TheSnapshotIsLetGoBeforeTheIndexesAreBuilt) {
  make(kDatabase,
       "CREATE TABLE t AS SELECT 1 AS i;"
       "CREATE FUNCTION slow(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i'; CREATE INDEX ON t (slow(i));"
       "CREATE OR REPLACE FUNCTION slow(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
       " 'BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(1); RETURN i; END'");
  Gate gate(kDatabase, 1);
  RunningClone running(options(kDatabase), sink_);
  ASSERT_TRUE(running.meets([&] { return gate.is_reached(); })) << running.outcome();
  EXPECT_TRUE(wait_until([&] {
    return is_true(shared_source(),
                   "NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'environment' AND"
                   " application_name LIKE 'pgsluice: %' AND application_name <> 'pgsluice: test' AND"
                   " (backend_xmin IS NOT NULL OR state LIKE 'idle in transaction%'))");
  }));
  gate.open();
  EXPECT_EQ(running.outcome(), "");
}

}  // namespace
}  // namespace pgsluice::test
