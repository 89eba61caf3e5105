// Migrations that are slowed down, paused, and go on.
#include <gmock/gmock.h>

#include "migration/document.h"
#include "migration/http/metrics.h"
#include "migration/pace_change.h"
#include "tests/migration/runner_fixture.h"
#include "tests/support/wait_until.h"

namespace pgsluice::migration {
namespace {

using pipeline::PaceChange;
using ::testing::HasSubstr;

TEST(PaceChange, IsReadFromWhatPeopleWrite) {
  const auto read = [](const std::string& text) { return pace_change_from(text); };
  EXPECT_EQ(read("{}"), PaceChange());
  EXPECT_EQ(read(R"({"MAXRATE":"20 MB","paused":"true"})"),
            (PaceChange{.max_rate = Bytes{20 * 1024 * 1024}, .paused = true}));
  EXPECT_EQ(read(R"({"maxRate":1000,"maxSourceSessions":5,"paused":false})"),
            (PaceChange{.max_rate = Bytes{1000}, .max_source_sessions = 5, .paused = false}));
  EXPECT_EQ(read(R"({"maxRate":"none","maxSourceSessions":"none"})"),
            (PaceChange{.max_rate = Bytes{}, .max_source_sessions = 0}));
  for (const char* wrong :
       {R"({"maxRate":"fast"})", R"({"maxRate":-1})", R"({"maxRate":[]})", R"({"maxSourceSessions":2})",
        R"({"maxSourceSessions":9999999999})", R"({"paused":"perhaps"})", R"({"rate":1})", "[]"}) {
    EXPECT_THROW(read(wrong), Error) << wrong;
  }
  for (const PaceChange& change :
       {PaceChange(), PaceChange{.max_rate = Bytes{7}, .max_source_sessions = 9, .paused = true}}) {
    EXPECT_EQ(pace_change_from(to_text(change)), change);
  }
}

TEST(PaceChange, OfTwoTheLaterOneCounts) {
  const PaceChange first{.max_rate = Bytes{1}, .max_source_sessions = 5};
  const PaceChange later{.max_rate = Bytes{2}, .paused = true};
  EXPECT_EQ(first.then(later), (PaceChange{.max_rate = Bytes{2}, .max_source_sessions = 5, .paused = true}));
}

class MigrationPaceTest : public RunnerFixture {
 protected:
  // Another process's.
  Store others() const { return Store(folder_.path() / "store"); }
};

TEST_F(MigrationPaceTest, IsTakenOverWhileItRuns) {
  source_.sql("testdb3", "INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(10000, 40000) g");
  Request wanted = request();
  wanted.engine.pace.max_rate = {100 * 1024};  // a minute
  Migration paused;
  const Migration ended = run_and(
      wanted, [](const Migration& now) { return now.copied().count > 0; },
      [&](Runner& runner) {
        EXPECT_EQ(runner.migration().pace.max_rate.count, 100 * 1024);
        Store store = others();
        store.request_pace(runner.migration(), {.paused = true});
        EXPECT_TRUE(test::wait_until([&] { return runner.migration().pace.paused; }));
        EXPECT_EQ(runner.migration().pace.max_rate.count, 100 * 1024);
        // Without a limit all would be there at once, but for the pause. What was on its way may still pass.
        store.request_pace(runner.migration(), {.max_rate = Bytes{}});
        EXPECT_TRUE(test::wait_until([&] {
          const Bytes before = runner.migration().copied();
          wait_for({}, {}, std::chrono::seconds(3));
          paused = runner.migration();
          return paused.pace.max_rate.count == 0 && paused.copied() == before;
        }));
        store.request_pace(runner.migration(), {.max_rate = Bytes{5 << 20}, .paused = false});
      });
  EXPECT_TRUE(paused.pace.paused && paused.paused_since && paused.snapshot_since);
  EXPECT_FALSE(paused.time_left);
  paused.pace.max_rate = {100 * 1024};
  const Migration read = from_document(to_text(paused));
  EXPECT_EQ(read.pace, paused.pace);
  EXPECT_EQ(format_time(read.paused_since), format_time(paused.paused_since));
  EXPECT_EQ(format_time(read.snapshot_since), format_time(paused.snapshot_since));
  const std::string metrics = to_metrics({.watched = {paused}});
  EXPECT_THAT(metrics, HasSubstr("pgsluice_migration_paused{migration=\"first\",target=\"" + paused.target + "\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("pgsluice_migration_max_rate_bytes{migration=\"first\""));
  EXPECT_THAT(metrics, HasSubstr("pgsluice_migration_snapshot_time_seconds{migration=\"first\""));

  EXPECT_EQ(ended.state, State::kSucceeded) << ended.error;
  EXPECT_FALSE(ended.pace.paused || ended.paused_since || ended.snapshot_since);
  for (const std::string& database : wanted.databases) EXPECT_THAT(differences(database), ::testing::IsEmpty());
}

// Asked for before a worker takes it up: it begins so. Paused, it can be cancelled.
TEST_F(MigrationPaceTest, HoldsFromTheBeginningAndForComparisonsToo) {
  const Request wanted = request();
  const Migration created = create(store_, "first", "", {}, wanted);
  others().request_pace(created, {.paused = true});
  Runner runner(store_, created, wanted, sink_);
  std::jthread user([&] {
    const bool is_copying = test::wait_until([&] { return runner.migration().substate == Substate::kMigratingData; });
    EXPECT_TRUE(is_copying);
    wait_for({}, {}, std::chrono::seconds(2));
    EXPECT_TRUE(runner.migration().pace.paused);
    EXPECT_EQ(runner.migration().copied().count, 0);
    runner.cancel();
  });
  EXPECT_EQ(runner.run().state, State::kCanceled);
  EXPECT_THROW(others().request_pace(created, {.paused = true}), Error);
}

// A resumed migration begins at the pace of its properties.
TEST_F(MigrationPaceTest, AResumeForgetsThePause) {
  const Request wanted = request();
  const Migration created = create(store_, "first", "", {}, wanted);
  others().request_pace(created, {.paused = true});
  Store store = others();
  {
    // As one that is killed: it has written that it is paused, and no end.
    Claim claim = store.claim(created.id);
    Migration paused = created;
    paused.pace.paused = true;
    paused.paused_since = paused.snapshot_since = std::chrono::system_clock::now();
    claim.write(paused);
  }
  const Migration dead = *store.refreshed(created);
  EXPECT_EQ(dead.state, State::kFailed);
  EXPECT_FALSE(dead.pace.paused || dead.paused_since || dead.snapshot_since);
  const Migration again = resume_migration(store, *store.refreshed(created), wanted);
  EXPECT_EQ(Runner(store_, again, wanted, sink_).run().state, State::kSucceeded);
}

}  // namespace
}  // namespace pgsluice::migration
