// Copies that are slowed down, paused, and go on, by their own process and by others.
#include "pgsluice/pace.h"

#include <gmock/gmock.h>

#include <array>
#include <fstream>

#include "pgsluice/server_clone.h"
#include "tests/pipeline/clone_fixture.h"
#include "tests/pipeline/running_clone.h"

namespace pgsluice::test {
namespace {

using pipeline::change_pace;
using pipeline::Pace;
using ::testing::HasSubstr;

// 6 tables of about a megabyte of rows each, or as many times as much, indexes, and a megabyte of large objects.
std::string make_tables(int times) {
  return fmt::format(R"(
DO $$ BEGIN
  FOR i IN 1..6 LOOP
    EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, text text)', i);
    EXECUTE format('INSERT INTO t%s SELECT g, repeat(md5(g::text), 3) FROM generate_series(1, {}) g', i);
    EXECUTE format('CREATE INDEX ON t%s (text)', i);
  END LOOP;
END $$;
SELECT lo_from_bytea(0, decode(repeat('abcd', 50000), 'hex')) FROM generate_series(1, 10);
)",
                     10'000 * times);
}
const std::string kTables = make_tables(1);
constexpr std::int64_t kBytes = 6'000'000;

class PaceTest : public CloneFixture {
 protected:
  pipeline::CloneOptions slow(const std::string& database) const {
    pipeline::CloneOptions wanted = options(database);
    wanted.pace.max_rate = {kBytes / 20};  // longer than a test waits for anything
    return wanted;
  }
  const std::filesystem::path& folder() const { return folder_.path(); }
};

// The names of the sessions that a server has of a copy, those of its pg_dump too.
std::vector<std::string> sessions_of_pgsluice(const Cluster& server) {
  pg::Connection connection = server.connect("postgres");
  std::vector<std::string> names;
  for (const pg::Row row :
       connection.execute("SELECT application_name || ' ' || coalesce(state, '') FROM pg_stat_activity"
                          " WHERE application_name LIKE '%pgsluice%' AND pid <> pg_backend_pid()")) {
    names.emplace_back(row.text(0));
  }
  return names;
}
std::vector<std::string> more_of(std::vector<std::string> one, std::vector<std::string> other) {
  return one.size() < other.size() ? other : one;
}

TEST_F(PaceTest, RowsAndLargeObjectsKeepToTheRate) {
  make("paced", kTables);
  const pipeline::CloneSummary summary =
      clone("paced", [](pipeline::CloneOptions& wanted) { wanted.pace.max_rate = {kBytes / 2}; });
  EXPECT_TRUE(summary.complete());
  EXPECT_GT(std::chrono::duration<double>(summary.duration).count(), 1.5);
  EXPECT_THAT(differences("paced"), ::testing::IsEmpty());
}

TEST_F(PaceTest, APausedCopyMovesNothingAndGoesOn) {
  make("paused", kTables);
  RunningClone clone(slow("paused"), sink_);
  ASSERT_TRUE(clone.meets([&] { return clone.progress().copied.count > 0; }));
  const pipeline::CurrentPace paused = change_pace(folder(), {.paused = true});
  EXPECT_TRUE(paused.pace.paused);
  EXPECT_EQ(paused.pace.max_rate.count, kBytes / 20) << "what is not changed stays";
  EXPECT_TRUE(paused.snapshot_age.has_value());

  // Without a limit all would be there at once, but for the pause. What was on its way may still pass.
  change_pace(folder(), {.max_rate = Bytes{}});
  pipeline::ProgressSnapshot after;
  EXPECT_TRUE(wait_until([&] {
    const pipeline::ProgressSnapshot before = clone.progress();
    pause({}, std::chrono::milliseconds(500));
    after = clone.progress();
    return after.copied == before.copied && after.tasks_done == before.tasks_done;
  }));
  EXPECT_LT(after.tasks_done, after.tasks_total);
  ASSERT_TRUE(after.paused_for && after.snapshot_age);
  EXPECT_GT(*after.snapshot_age, *after.paused_for);
  EXPECT_TRUE(pipeline::read_pace(folder()).paused_for.has_value());

  const pipeline::CurrentPace now = change_pace(folder(), {.paused = false});
  EXPECT_EQ(now.pace, Pace());
  EXPECT_FALSE(now.paused_for);
  EXPECT_EQ(clone.outcome(), "");
  EXPECT_THAT(differences("paused"), ::testing::IsEmpty());
}

TEST_F(PaceTest, APausedCopyIsCancelled) {
  make("paused_cancelled", kTables);
  RunningClone clone(slow("paused_cancelled"), sink_);
  ASSERT_TRUE(clone.meets([&] { return clone.progress().copied.count > 0; }));
  change_pace(folder(), {.paused = true});
  clone.cancel();
  EXPECT_THAT(clone.outcome(), HasSubstr("cancelled"));
  ASSERT_TRUE(clone.error());
  EXPECT_EQ(clone.error()->kind(), ErrorKind::kCancelled);
  // It can be resumed.
  pipeline::CloneOptions again = options("paused_cancelled");
  again.earlier_run = pipeline::EarlierRun::kResume;
  EXPECT_TRUE(pipeline::Clone(again, sink_).run().complete());
  EXPECT_THAT(differences("paused_cancelled"), ::testing::IsEmpty());
}

// A pause of hours may cost the sessions; nothing is lost for it.
TEST_F(PaceTest, SessionsThatAreLostInAPauseAreOpenedAgain) {
  make("paused_lost", kTables);
  pipeline::CloneOptions wanted = slow("paused_lost");
  wanted.retry_for = std::chrono::seconds(60);
  RunningClone clone(wanted, sink_);
  ASSERT_TRUE(clone.meets([&] { return clone.progress().copied.count > 0; }));
  change_pace(folder(), {.paused = true});
  for (const Cluster* server : {&shared_source(), &shared_target()}) {
    server->sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'paused_lost'");
  }
  change_pace(folder(), {.max_rate = Bytes{}, .paused = false});
  EXPECT_EQ(clone.outcome(), "");
  EXPECT_THAT(differences("paused_lost"), ::testing::IsEmpty());
}

TEST_F(PaceTest, TheSourceSeesNoMoreSessionsThanItMay) {
  make("few_sessions", make_tables(6));  // too large to travel together
  pipeline::CloneOptions wanted = slow("few_sessions");
  wanted.table_jobs = 6;
  wanted.pace.max_source_sessions = 5;
  wanted.pace.max_rate = {2 * kBytes};
  RunningClone clone(wanted, sink_);
  std::vector<std::string> most;
  ASSERT_TRUE(clone.meets([&] {
    most = more_of(most, sessions_of_pgsluice(shared_source()));
    return clone.progress().tables_done >= 1;
  }));
  EXPECT_LE(most.size(), 5U) << ::testing::PrintToString(most);
  // One keeps the snapshot; of three that copy one is left as their tables end.
  change_pace(folder(), {.max_source_sessions = 3});
  EXPECT_TRUE(clone.meets([&] { return sessions_of_pgsluice(shared_source()).size() <= 2; }));
  EXPECT_LT(clone.progress().tables_done, 7U);
  change_pace(folder(), {.max_rate = Bytes{}, .max_source_sessions = 0});
  EXPECT_EQ(clone.outcome(), "");
  EXPECT_THAT(differences("few_sessions"), ::testing::IsEmpty());
}

// Idle workers hold no turn that another one waits for: with one turn for six jobs, tables and what comes after them
// all come to their end.
TEST_F(PaceTest, ALimitThatComesWhileWorkersWaitStopsNobody) {
  make("limited_late", kTables);
  pipeline::CloneOptions wanted = options("limited_late");
  wanted.table_jobs = 6;
  wanted.pace.max_rate = {kBytes};
  RunningClone clone(wanted, sink_);
  for (int round = 0; round < 20; ++round) {
    if (!clone.meets([&] { return clone.progress().tasks_total > 0; })) break;
    try {
      change_pace(folder(), {.max_source_sessions = round % 2 == 0 ? 3 : 0});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kState) << error.describe();  // it has ended
    }
  }
  EXPECT_EQ(clone.outcome(), "");
  EXPECT_THAT(differences("limited_late"), ::testing::IsEmpty());
}

TEST_F(PaceTest, AllDatabasesTogetherKeepToTheirPace) {
  for (const char* database : {"paced_1", "paced_2", "paced_3"}) {
    make(database, kTables);
    shared_target().sql("postgres", fmt::format("DROP DATABASE {}", database));
  }
  pipeline::CloneOptions wanted = options("");
  wanted.source = shared_source().conninfo("postgres");
  wanted.target = shared_target().conninfo("postgres");
  wanted.database_properties = false;
  wanted.pace = {.max_rate = {kBytes * 2}, .max_source_sessions = 6};
  pipeline::ServerClone clone(wanted, sink_, {.databases = {"paced_1", "paced_2", "paced_3"}});
  std::atomic<bool> ended{false};
  pipeline::ServerSummary summary;
  std::jthread runner([&] {
    summary = clone.run();
    ended = true;
  });
  std::vector<std::string> most;
  bool was_paused = false;
  ASSERT_TRUE(wait_until([&] {
    most = more_of(most, sessions_of_pgsluice(shared_source()));
    if (!was_paused && clone.progress().copied.count > 0) {
      was_paused = true;
      change_pace(folder(), {.paused = true});
      EXPECT_TRUE(clone.progress().paused_for && clone.progress().snapshot_age);
      try {
        change_pace(folder(), {.max_source_sessions = 5});
        ADD_FAILURE() << "three snapshots are held";
      } catch (const Error& error) {
        EXPECT_THAT(error.describe(), HasSubstr("3 databases are at work at once, which takes 6"));
      }
      change_pace(folder(), {.paused = false});
    }
    return ended.load();
  }));
  EXPECT_TRUE(was_paused);
  EXPECT_LE(most.size(), 6U) << ::testing::PrintToString(most);
  EXPECT_TRUE(summary.complete());
  for (const char* database : {"paced_1", "paced_2", "paced_3"}) {
    EXPECT_THAT(differences(database), ::testing::IsEmpty());
  }
}

TEST_F(PaceTest, SeveralWhoAskAtOnceAllGetTheirAnswer) {
  make("asked", kTables);
  RunningClone clone(slow("asked"), sink_);
  ASSERT_TRUE(clone.meets([&] { return clone.progress().copied.count > 0; }));
  std::vector<std::jthread> people;
  for (int i = 1; i <= 5; ++i) {
    people.emplace_back(
        [&, i] { EXPECT_EQ(change_pace(folder(), {.max_rate = Bytes{i}}).pace.max_rate.count > 0, true); });
  }
  people.clear();
  change_pace(folder(), {.max_rate = Bytes{}});
  EXPECT_EQ(clone.outcome(), "");
}

TEST_F(PaceTest, WithoutACopyAtWorkThereIsNoPace) {
  const auto error = [&](const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& thrown) {
      return thrown;
    }
    return Error(ErrorKind::kInternal, "no error");
  };
  EXPECT_EQ(error([&] { pipeline::read_pace(folder()); }).kind(), ErrorKind::kState);
  EXPECT_EQ(error([&] { change_pace(folder(), {.paused = true}); }).kind(), ErrorKind::kState);
  EXPECT_TRUE(std::filesystem::is_empty(folder()));

  make("few", kTables);
  pipeline::CloneOptions wanted = slow("few");
  wanted.work_folder = folder() / "run";
  {
    RunningClone clone(wanted, sink_);
    ASSERT_TRUE(clone.meets([&] { return clone.progress().copied.count > 0; }));
    const Error refused = error([&] { change_pace(wanted.work_folder, {.max_source_sessions = 2}); });
    EXPECT_EQ(refused.kind(), ErrorKind::kUsage) << refused.describe();
    EXPECT_EQ(pipeline::read_pace(wanted.work_folder).pace, wanted.pace);
    // A request that cannot be read changes nothing.
    std::ofstream(wanted.work_folder / "pace.request") << "no JSON";
    EXPECT_EQ(change_pace(wanted.work_folder, {.max_rate = Bytes{}}).pace, Pace());
    EXPECT_EQ(clone.outcome(), "");
  }
  EXPECT_EQ(error([&] { change_pace(wanted.work_folder, {.paused = true}); }).kind(), ErrorKind::kState);
  EXPECT_FALSE(std::filesystem::exists(wanted.work_folder / "pace.json"));
  EXPECT_FALSE(std::filesystem::exists(wanted.work_folder / "pace.request"));
}

}  // namespace
}  // namespace pgsluice::test
