// A source that is a standby.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "pgsluice/error.h"
#include "tests/pipeline/clone_fixture.h"
#include "tests/pipeline/running_clone.h"

namespace pgsluice::pipeline {
namespace {

using ::testing::HasSubstr;

class StandbyTest : public test::CloneFixture {
 protected:
  // The shared source's standby, which has all that this one has now.
  std::unique_ptr<test::Cluster> standby() {
    auto cluster = std::make_unique<test::Cluster>(test::Cluster::Options{.primary = &test::shared_source()});
    replay(*cluster);
    return cluster;
  }
  static void replay(const test::Cluster& standby) {
    const std::string now = test::shared_source().value("postgres", "SELECT pg_current_wal_lsn()");
    const std::string replayed = "SELECT pg_last_wal_replay_lsn() >= '" + now + "'";
    while (standby.value("postgres", replayed) != "t") std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
};

TEST_F(StandbyTest, ComesOutEqualToItsPrimary) {
  make("standby", R"sql(
    CREATE TABLE parent (id int PRIMARY KEY, t text); CREATE TABLE child (id serial, parent int REFERENCES parent);
    INSERT INTO parent SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 20000) g;
    INSERT INTO child (parent) SELECT g FROM generate_series(1, 20000) g;
    CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM child; SELECT lo_from_bytea(0, 'large');
  )sql");
  const std::unique_ptr<test::Cluster> source = standby();
  const CloneSummary summary = clone("standby", [&](CloneOptions& options) {
    options.source = source->conninfo("standby");
    options.verify = true;
    options.split.when = copy::SplitOptions::When::kLarger;
    options.split.size = Bytes{1'000'000};
  });
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_EQ(differences("standby"), std::vector<std::string>{});
}

// A clone of a standby that lacks the rows of c, which cannot be loaded as long as b has no rows on the target.
class ResumedStandbyTest : public StandbyTest {
 protected:
  void SetUp() override {
    make("standby_resume",
         "CREATE TABLE a (i int); CREATE TABLE b (i int); INSERT INTO b VALUES (1); INSERT INTO a VALUES (1);"
         "CREATE FUNCTION f(i int) RETURNS int LANGUAGE sql IMMUTABLE AS"
         " 'SELECT i / (SELECT count(*)::int FROM public.b)';"
         "CREATE TABLE c (i int, g int GENERATED ALWAYS AS (f(i)) STORED); INSERT INTO c VALUES (7)");
    source_ = standby();
    wanted_ = options("standby_resume");
    wanted_.source = source_->conninfo("standby_resume");
    wanted_.filters = schema::parse_filter_rules("[exclude-table-data]\npublic.b\n", "filter");
    EXPECT_FALSE(Clone(wanted_, sink_).run().complete());
    wanted_.earlier_run = EarlierRun::kResume;
    test::shared_target().sql("standby_resume", "INSERT INTO b VALUES (1)");
  }
  void write(const char* database, const char* sql) const {
    test::shared_source().sql(database, sql);
    replay(*source_);
  }

  std::unique_ptr<test::Cluster> source_;
  CloneOptions wanted_;
};

TEST_F(ResumedStandbyTest, GoesOnWhileItsDatabaseStaysAsItWas) {
  write("postgres", "CREATE TABLE of_another_database (i int); DROP TABLE of_another_database");
  const CloneSummary resumed = Clone(wanted_, sink_).run();
  EXPECT_TRUE(resumed.complete()) << failures(resumed);
  EXPECT_EQ(test::shared_target().value("standby_resume", "SELECT count(*) FROM a, c WHERE a.i = 1 AND g = 7"), "1");
}

TEST_F(ResumedStandbyTest, IsRefusedWhereRowsWereWritten) {
  write("standby_resume", "UPDATE a SET i = 2");
  EXPECT_THAT(error_of(wanted_).what(), HasSubstr("table public.a was written to"));
  wanted_.not_consistent = true;
  const CloneSummary resumed = Clone(wanted_, sink_).run();
  EXPECT_TRUE(resumed.complete()) << failures(resumed);
}

TEST_F(ResumedStandbyTest, IsRefusedWhereDefinitionsWereChanged) {
  write("standby_resume", "ALTER TABLE a ADD j int");
  EXPECT_THAT(error_of(wanted_).what(), HasSubstr("definitions"));
}

// It begins where it last stopped to write down, which may be before what it had shown.
TEST_F(ResumedStandbyTest, IsRefusedBehindARestart) {
  source_->stop_fast();
  source_->start();
  EXPECT_THAT(error_of(wanted_).what(), HasSubstr("standby, and was restarted"));
}

TEST_F(StandbyTest, WhatMayEndItIsForetoldAndUnloggedRowsAreRefused) {
  make("standby_advice", "CREATE TABLE t (i int); CREATE UNLOGGED TABLE fleeting (i int)");
  const std::unique_ptr<test::Cluster> source = standby();
  CloneOptions wanted = options("standby_advice");
  wanted.source = source->conninfo("standby_advice");
  EXPECT_THAT(error_of(wanted).describe(), HasSubstr("a standby has no rows of unlogged tables: public.fleeting"));
  EXPECT_FALSE(target_changed_);
  wanted.filters = schema::parse_filter_rules("[exclude-table-data]\npublic.fleeting\n", "filter");
  const CloneSummary summary = Clone(wanted, sink_).run();
  EXPECT_TRUE(summary.complete()) << failures(summary);
  EXPECT_THAT(summary.warnings, ::testing::Contains(HasSubstr("hot_standby_feedback = on")));
  source->sql("postgres", "ALTER SYSTEM SET hot_standby_feedback = on");
  source->sql("postgres", "SELECT pg_reload_conf()");
  test::shared_target().create_database("standby_advice");
  EXPECT_THAT(Clone(wanted, sink_).run().warnings, ::testing::Not(::testing::Contains(HasSubstr("hot_standby"))));
}

TEST_F(StandbyTest, ADatabaseWhoseDefaultIsSerializableIsCloned) {
  make("standby_serializable",
       "CREATE TABLE t AS SELECT 1 AS i;"
       "ALTER DATABASE standby_serializable SET default_transaction_isolation = serializable");
  const std::unique_ptr<test::Cluster> source = standby();
  const CloneSummary summary = clone("standby_serializable", [&](CloneOptions& options) {
    options.source = source->conninfo("standby_serializable");
  });
  EXPECT_TRUE(summary.complete()) << failures(summary);
}

// Imported again, the snapshot would show a part of the rows.
TEST_F(StandbyTest, ARecoveryConflictEndsTheCloneWithWhatToDo) {
  make("standby_conflict", std::string(test::kPassFunction) + R"sql(
    CREATE TABLE one (id int CHECK (pass(id, 1)), t text); CREATE TABLE two (i int);
    INSERT INTO one SELECT g, repeat('x', 1000) FROM generate_series(1, 20000) g;
    INSERT INTO two SELECT generate_series(1, 1000);
  )sql");
  const std::unique_ptr<test::Cluster> source = standby();
  source->sql("postgres", "ALTER SYSTEM SET max_standby_streaming_delay = '100ms'");
  source->sql("postgres", "ALTER SYSTEM SET deadlock_timeout = '500ms'");
  source->sql("postgres", "ALTER SYSTEM SET log_recovery_conflict_waits = on");
  source->sql("postgres", "SELECT pg_reload_conf()");
  CloneOptions wanted = options("standby_conflict");
  wanted.source = source->conninfo("standby_conflict");
  wanted.table_jobs = 1;
  test::Gate gate("standby_conflict", 1);
  test::RunningClone running(wanted, sink_);
  ASSERT_TRUE(running.meets([&] { return gate.is_reached(); })) << running.outcome();
  test::shared_source().sql("standby_conflict", "DELETE FROM two WHERE i > 500");
  test::shared_source().sql("standby_conflict", "VACUUM two");
  // Logged at the deadlock's timeout, when the first of the sessions has been cancelled long since. None of them may
  // have ended: where the one whose COPY waits for the gate is the first, it does not notice before, and the others
  // come later.
  ASSERT_TRUE(test::wait_until([&] {
    return source->log().find("still waiting after") != std::string::npos ||
           source->value("postgres",
                         "SELECT confl_snapshot > 0 FROM pg_stat_database_conflicts WHERE datname ="
                         " 'standby_conflict'") == "t";
  })) << source->log();
  gate.open();
  EXPECT_THAT(running.outcome(), HasSubstr("40001"));
  ASSERT_TRUE(running.error());
  EXPECT_THAT(test::shared_target().value("standby_conflict", "SELECT count(*) FROM two"),
              ::testing::AnyOf("0", "1000"));
}

}  // namespace
}  // namespace pgsluice::pipeline
