// A source that is a standby.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "pgsluice/base/error.h"
#include "pipeline/clone_fixture.h"

namespace pgsluice::pipeline {
namespace {

using ::testing::HasSubstr;

class StandbyTest : public test::CloneFixture {
 protected:
  // The shared source's standby, which has all that this one has now.
  std::unique_ptr<test::Cluster> standby() {
    auto cluster = std::make_unique<test::Cluster>(test::Cluster::Options{.primary = &test::shared_source()});
    const std::string now = test::shared_source().value("postgres", "SELECT pg_current_wal_lsn()");
    const std::string replayed = "SELECT pg_last_wal_replay_lsn() >= '" + now + "'";
    while (cluster->value("postgres", replayed) != "t") std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return cluster;
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

// Two snapshots of a standby cannot be told to be the same.
TEST_F(StandbyTest, AResumeWithoutTheOldSnapshotIsRefused) {
  // The index can be built only where b has rows.
  make("standby_resume",
       "CREATE TABLE a (i int); CREATE TABLE b (i int); INSERT INTO b VALUES (1); INSERT INTO a VALUES (1);"
       "CREATE FUNCTION f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1 / (SELECT count(*)::int FROM public.b)';"
       "CREATE INDEX on_f ON a ((i + f()))");
  const std::unique_ptr<test::Cluster> source = standby();
  CloneOptions wanted = options("standby_resume");
  wanted.source = source->conninfo("standby_resume");
  wanted.filters = schema::parse_filter_rules("[exclude-table-data]\npublic.b\n", "filter");
  EXPECT_FALSE(Clone(wanted, sink_).run().complete());
  wanted.earlier_run = EarlierRun::kResume;
  EXPECT_THAT(error_of(wanted).what(), HasSubstr("standby"));
  wanted.not_consistent = true;
  EXPECT_FALSE(Clone(wanted, sink_).run().complete()) << "the index still fails";
}

}  // namespace
}  // namespace pgsluice::pipeline
