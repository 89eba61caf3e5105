// What a clone is expected to take, by rates that were measured.
#include "pipeline/estimate/estimation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/clone_fixture.h"
#include "tests/pipeline/run/simulated_run.h"

namespace pgsluice::test {
namespace {

using std::chrono::seconds;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr std::int64_t kMegabyte = 1024 * 1024;

pipeline::Samples rates(double megabytes_copied, double megabytes_built) {
  pipeline::StreamSample stream{.table = "public.t0", .rows = 1'000'000};
  stream.payload = {80 * kMegabyte};
  stream.stored = stream.heap = {100 * kMegabyte};
  stream.copying = std::chrono::duration<double>(100 / megabytes_copied);
  stream.building = std::chrono::duration<double>(100 / megabytes_built);
  return {.streams = {stream, stream}, .definition = std::chrono::milliseconds(1)};
}

pipeline::Estimate estimate_of(const SimulatedDatabase& database, const pipeline::Samples& samples) {
  const SimulatedMachine machine{.table_jobs = 2, .index_jobs = 2};
  return pipeline::estimate(*plan_of(database, machine), samples, {.preparation = seconds(3)});
}

TEST(Estimation, HoldsWhatTheRatesGive) {
  const SimulatedDatabase rows_only{
      .tables = 8, .bytes = 64'000 * kMegabyte, .exponent = 0, .indexes = 0, .every_with_foreign_key = 0};
  // Two streams of 100 MB/s take 320 s for the rows; a key for each table, by two builds, as long again.
  const pipeline::Estimate estimate = estimate_of(rows_only, rates(100, 100));
  EXPECT_GT(estimate.time.least, seconds(320));
  EXPECT_LT(estimate.time.least, seconds(640));
  EXPECT_GT(estimate.time.most, seconds(640));
  EXPECT_LT(estimate.time.most, seconds(1600));
  EXPECT_EQ(estimate.network.count, 51'200 * kMegabyte) << "as much of the rows as was on the line in the samples";
  EXPECT_EQ(estimate.copied_per_second.count, 200 * kMegabyte);
  EXPECT_EQ(estimate.built_per_second.count, 100 * kMegabyte);
  EXPECT_NEAR(estimate.share, 1.0 / 320, 1e-6);
}

TEST(Estimation, GrowsWithTheRowsAndWithWhatIsBuiltOnThem) {
  const SimulatedDatabase small{.tables = 50, .bytes = 10'000 * kMegabyte};
  SimulatedDatabase large = small;
  large.bytes *= 10;
  SimulatedDatabase indexed = small;
  indexed.indexes = 8;
  const pipeline::Estimate of_small = estimate_of(small, rates(100, 200));
  const pipeline::Estimate of_large = estimate_of(large, rates(100, 200));
  EXPECT_GE(of_large.time.least, 9 * of_small.time.least);
  EXPECT_LE(of_large.time.least, 20 * of_small.time.least) << "sorting takes longer for each row of more rows";
  EXPECT_GT(estimate_of(indexed, rates(100, 200)).time.most, of_small.time.most);
  EXPECT_GT(estimate_of(small, rates(50, 200)).time.most, of_small.time.most);
}

TEST(Estimation, KeepsToThePaceAndLeavesOutWhatIsDone) {
  const SimulatedDatabase database{.tables = 8, .bytes = 8'000 * kMegabyte, .exponent = 0, .every_with_foreign_key = 0};
  const std::unique_ptr<const pipeline::Plan> plan = plan_of(database, {.table_jobs = 2, .index_jobs = 2});
  const pipeline::Estimate slow = pipeline::estimate(*plan, rates(100, 100), {.pace = {.max_rate = {10 * kMegabyte}}});
  EXPECT_GE(slow.time.least, seconds(640)) << "6,400 MB cross at 10 MB/s";
  pipeline::EstimateContext context;
  for (pipeline::TaskId task = 0; task < plan->graph.size(); ++task) {
    if (plan->graph[task].copies_rows()) context.done.insert(task);
  }
  const pipeline::Estimate rest = pipeline::estimate(*plan, rates(100, 100), context);
  EXPECT_EQ(rest.network.count, 0);
  EXPECT_LT(rest.time.most, pipeline::estimate(*plan, rates(100, 100), {}).time.most);
}

TEST(Estimation, WithoutSamplesCountsStatements) {
  const pipeline::Estimate estimate = estimate_of({.tables = 3000, .bytes = 3000, .exponent = 0}, {});
  EXPECT_GE(estimate.time.least, seconds(3)) << "the preparation";
  EXPECT_LT(estimate.time.most, seconds(60));
  EXPECT_EQ(estimate.copied_per_second.count, 0);
  EXPECT_THAT(estimate.notes, Contains(HasSubstr("no table is large enough")));
}

class EstimateTest : public CloneFixture {
 protected:
  void make_tables(const std::string& database, const std::string& more = "") {
    make(database,
         "CREATE TABLE a (id bigint PRIMARY KEY, t text, n numeric);"
         "INSERT INTO a SELECT n, md5(n::text), n / 3.0 FROM generate_series(1, 100000) n;"
         "CREATE TABLE b AS SELECT * FROM a; ANALYZE;" +
             more);
  }
  pipeline::ClonePlan planned(const pipeline::CloneOptions& wanted) {
    return pipeline::Clone(wanted, sink_).plan_and_estimate(std::chrono::milliseconds(200));
  }
  static std::string left_on_target(const std::string& database) {
    return shared_target().value(database,
                                 "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pgsluice%')"
                                 " + (SELECT count(*) FROM pg_class WHERE relname = 'sample')");
  }
};

TEST_F(EstimateTest, LeavesNothingBehindAndTheRunComparesItself) {
  make_tables("estimated");
  const pipeline::CloneOptions wanted = options("estimated");
  const pipeline::ClonePlan plan = planned(wanted);
  ASSERT_TRUE(plan.estimate);
  EXPECT_EQ(left_on_target("estimated"), "0");
  EXPECT_GT(plan.estimate->sampled.count, kMegabyte / 2);
  EXPECT_GT(plan.estimate->share, 0.01);
  EXPECT_GT(plan.estimate->built_per_second.count, 0);
  EXPECT_LE(plan.estimate->time.least, plan.estimate->time.most);
  EXPECT_THAT(plan.estimate->notes, Contains(HasSubstr("public.a: ")));
  EXPECT_THAT(plan.estimate->notes, Contains(HasSubstr("public.b: ")));
  const pipeline::CloneSummary summary = pipeline::Clone(wanted, sink_).run();
  EXPECT_TRUE(summary.complete()) << failures(summary);
  ASSERT_TRUE(summary.expected);
  EXPECT_EQ(summary.expected->most, plan.estimate->time.most);
  EXPECT_EQ(differences("estimated"), std::vector<std::string>{});
}

// Types that only the source's database has, as yet; columns without any; a table without rows.
TEST_F(EstimateTest, MeasuresRowsOfTypesThatTheTargetDoesNotHave) {
  make_tables("estimated_types",
              "CREATE EXTENSION hstore; CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN d AS int;"
              "CREATE TABLE own (h hstore, m mood, d d, r regclass, j json, p point, x int4multirange);"
              "INSERT INTO own SELECT 'a=>1', 'ok', n, 'a', '{}', '(1,2)', '{[1,2)}' FROM generate_series(1, 50000) n;"
              "DROP TABLE b; CREATE TABLE none (); ANALYZE");
  const pipeline::ClonePlan plan = planned(options("estimated_types"));
  ASSERT_TRUE(plan.estimate);
  EXPECT_THAT(plan.estimate->notes, Contains(HasSubstr("public.own: ")));
  EXPECT_EQ(left_on_target("estimated_types"), "0");
}

TEST_F(EstimateTest, DoesWithTemporaryTablesAndSaysWhereThereMayBeNone) {
  for (const Cluster* cluster : {&shared_source(), &shared_target()}) {
    if (cluster->value("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'estimator'") == "0") {
      cluster->sql("postgres", "CREATE ROLE estimator LOGIN; GRANT pg_read_all_data TO estimator");
    }
  }
  make_tables("estimated_rights", "ALTER TABLE a OWNER TO estimator; ALTER TABLE b OWNER TO estimator");
  shared_target().sql("estimated_rights", "GRANT CREATE ON SCHEMA public TO estimator");
  pipeline::CloneOptions wanted = options("estimated_rights");
  wanted.source = shared_source().conninfo("estimated_rights", "estimator");
  wanted.target = shared_target().conninfo("estimated_rights", "estimator");
  wanted.ledger = false;  // it needs a schema, too
  wanted.database_properties = false;
  const pipeline::ClonePlan temporary = planned(wanted);
  ASSERT_TRUE(temporary.estimate);
  EXPECT_THAT(temporary.estimate->notes, Contains(HasSubstr("temporary tables were measured")));
  shared_target().sql("estimated_rights", "REVOKE TEMPORARY ON DATABASE estimated_rights FROM public");
  const pipeline::ClonePlan none = planned(wanted);
  EXPECT_FALSE(none.estimate);
  EXPECT_THAT(none.warnings, Contains(HasSubstr("there is no estimate")));
}

TEST_F(EstimateTest, KeepsToThePaceOfTheRun) {
  make_tables("estimated_pace");
  pipeline::CloneOptions wanted = options("estimated_pace");
  wanted.pace.max_rate = {1 * kMegabyte};
  wanted.pace.max_source_sessions = 3;
  const pipeline::ClonePlan plan = planned(wanted);
  ASSERT_TRUE(plan.estimate);
  EXPECT_LE(plan.estimate->notes.size(), 2U) << "one stream and what is not known";
  EXPECT_LE(plan.estimate->copied_per_second.count, 4 * kMegabyte);
}

// A dry run without a place for its file still tells the plan.
TEST_F(EstimateTest, NeedsNoWorkFolder) {
  make_tables("estimated_folder");
  pipeline::CloneOptions wanted = options("estimated_folder");
  write_file(folder_.path() / "file", "");
  wanted.work_folder = folder_.path() / "file" / "folder";
  const pipeline::ClonePlan plan = planned(wanted);
  EXPECT_TRUE(plan.estimate);
  EXPECT_THAT(plan.warnings, Contains(HasSubstr("will not compare itself")));
}

TEST_F(EstimateTest, IsEndedByACancellation) {
  make_tables("estimated_cancelled");
  CancelSource cancel;
  cancel.cancel();
  pipeline::Clone clone(options("estimated_cancelled"), sink_, cancel.token());
  EXPECT_THROW(clone.plan_and_estimate(seconds(60)), Error);
  EXPECT_EQ(left_on_target("estimated_cancelled"), "0");
}

}  // namespace
}  // namespace pgsluice::test
