#include "pipeline/run/server_watch.h"

#include "pg/snapshot.h"
#include "tests/pipeline/clone_fixture.h"
#include "tests/pipeline/running_clone.h"

namespace pgsluice::pipeline {
namespace {

using std::chrono::milliseconds;

class ServerWatchTest : public test::CloneFixture {
 protected:
  void SetUp() override {
    make("watched",
         "CREATE TABLE t AS SELECT 1 AS i;"
         "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
         "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()");
  }

  bool logged(const std::string& text) const { return sink_.text().find(text) != std::string::npos; }
};

// Whoever makes a trigger waits for this lock.
TEST_F(ServerWatchTest, ACloneThatWaitsForALockNamesWhoHoldsIt) {
  pg::Connection other = test::shared_target().connect("watched", Side::kTarget);
  other.execute("SET application_name = 'somebody'; BEGIN; LOCK TABLE pg_catalog.pg_trigger IN SHARE MODE");
  const std::string pid(other.execute("SELECT pg_backend_pid()")[0].text(0));
  CloneOptions wanted = options("watched");
  wanted.stalled_after = milliseconds(200);
  test::RunningClone running(wanted, sink_);
  EXPECT_TRUE(running.meets([&] { return logged("pg_terminate_backend(" + pid + ")"); })) << sink_.text();
  EXPECT_TRUE(logged("WARNING on the target, \"pgsluice: ")) << sink_.text();
  EXPECT_TRUE(logged("(Lock: relation) by pid " + pid + " (postgres, somebody, idle in transaction")) << sink_.text();
  other.execute("COMMIT");
  EXPECT_EQ(running.outcome(), "");
}

TEST_F(ServerWatchTest, AStepThatTakesItsTimeIsNoWarning) {
  test::shared_source().sql("watched",
                            "CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
                            " 'BEGIN PERFORM pg_sleep(2); RETURN i; END'; CREATE INDEX slow_index ON t (slow(i))");
  CloneOptions wanted = options("watched");
  wanted.stalled_after = milliseconds(200);
  test::RunningClone running(wanted, sink_);
  EXPECT_EQ(running.outcome(), "");
  EXPECT_TRUE(logged("NOTICE on the target, \"pgsluice: build ")) << sink_.text();
  EXPECT_TRUE(logged(" has run CREATE INDEX for ") || logged(" has run ANALYZE for ")) << sink_.text();
  EXPECT_FALSE(logged("WARNING on the")) << sink_.text();
}

TEST_F(ServerWatchTest, OfAStatementOnlyTheFirstWordsAreShown) {
  pg::Connection busy = test::shared_target().connect("watched", Side::kTarget);
  pg::Connection other = test::shared_target().connect("watched", Side::kTarget);
  busy.execute("CREATE TABLE x (i int)");
  const std::string pid(busy.execute("SELECT pg_backend_pid()")[0].text(0));
  const std::jthread running([&] {
    try {
      busy.execute("INSERT INTO x SELECT WHERE pg_sleep(30)::text = 's3cret'");
    } catch (const Error&) {
      // It is cancelled when it has been looked at.
    }
  });
  std::vector<StalledSession> found;
  EXPECT_TRUE(test::wait_until([&] { return !(found = find_stalled_sessions(other)).empty(); }));
  other.execute("SELECT pg_cancel_backend(" + pid + ")");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].command, "INSERT INTO");
  EXPECT_EQ(describe(found[0], Side::kTarget).find("s3cret"), std::string::npos);
}

TEST_F(ServerWatchTest, AServerIsAskedHowOldOurOldestSnapshotIs) {
  pg::Connection holder = test::shared_source().connect("watched", Side::kSource);
  pg::export_snapshot(holder);
  pg::Connection other = test::shared_source().connect("watched", Side::kSource);
  for (int i = 0; i < 7; ++i) other.execute("SELECT txid_current()");
  const TransactionAges ages = read_transaction_ages(other);
  EXPECT_GE(ages.snapshot, 7);
  EXPECT_LT(ages.snapshot, 1000);
  EXPECT_GE(ages.database, ages.snapshot);
  EXPECT_EQ(ages.autovacuum_freeze_max_age, 200000000);
}

TEST(AgeWarning, ComesWhenVacuumIsKeptFromItsWorkOrTheEndIsNear) {
  constexpr std::int64_t kMillion = 1000000;
  const auto warning = [](std::int64_t snapshot, std::int64_t database) {
    return age_warning(
        {.snapshot = snapshot * kMillion, .database = database * kMillion, .autovacuum_freeze_max_age = 200 * kMillion},
        Side::kSource);
  };
  EXPECT_FALSE(warning(199, 1499));
  EXPECT_NE(warning(200, 250).value_or("").find("snapshot is 200 million"), std::string::npos);
  EXPECT_NE(warning(0, 1500).value_or("").find("1500 million transactions old"), std::string::npos);
}

TEST(SessionSlots, AreNeverMoreThanThereAre) {
  SessionSlots slots(2);
  const SessionSlots::Slot first = slots.take();
  std::optional<SessionSlots::Slot> second = slots.try_take();
  ASSERT_TRUE(second);
  EXPECT_FALSE(slots.try_take());
  std::atomic<bool> taken = false;
  {
    const std::jthread waiting([&] {
      const SessionSlots::Slot third = slots.take();
      taken = true;
    });
    EXPECT_FALSE(taken);
    second.reset();
  }
  EXPECT_TRUE(taken);
  EXPECT_TRUE(slots.try_take());
}

}  // namespace
}  // namespace pgsluice::pipeline
