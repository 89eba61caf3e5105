// Trees of many partitions: what planning one costs, and that it comes across.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"
#include "tests/support/peak_memory.h"

namespace pgsluice::test {
namespace {

using ::testing::HasSubstr;

class PartitionTree : public CaseTest {
 protected:
  // With a key, an index and a foreign key, each of which every partition has a part of.
  void make_tree(int partitions) const {
    make(
        "CREATE TABLE dev (id int PRIMARY KEY);"
        "CREATE TABLE ev (id bigint, dev int NOT NULL REFERENCES dev, v text DEFAULT 'x', PRIMARY KEY (id))"
        " PARTITION BY RANGE (id); CREATE INDEX ev_v ON ev (v)");
    // A transaction each hundred: each locks the whole tree.
    for (int first = 0; first < partitions; first += 100) {
      source().sql(kDatabase,
                   fmt::format("DO $$ BEGIN FOR i IN {}..{} LOOP EXECUTE format('CREATE TABLE ev_%s PARTITION OF ev FOR"
                               " VALUES FROM (%s) TO (%s)', i, i * 10, i * 10 + 10); END LOOP; END $$",
                               first, first + 99));
    }
  }
  std::vector<std::string> planning() const {
    return {PGSLUICE_PROGRAM,
            "clone",
            "--dry-run",
            "--source",
            source().conninfo(kDatabase),
            "--target",
            target().conninfo(kDatabase)};
  }
};

TEST_F(PartitionTree, OfTwoLevelsWithEverythingComesOutEqual) {
  make_from_file("partition-tree.sql");
  expect_clone_to_be_equal();
  expect_same_answer("SELECT count(*), sum(id) FROM ev");
  expect_same_answer("SELECT tgenabled FROM pg_trigger WHERE tgrelid = 'ev_1_5'::regclass AND tgname = 'ev_after'");
}

// Each definition of a tree that waits for each other one took 600 MB for 1,211 partitions.
TEST_F(PartitionTree, TakesAtMostFifteenKilobytesAPartitionToPlan) {
  std::vector<std::int64_t> peaks;
  for (const int partitions : {500, 2000}) {
    make_tree(partitions);
    const MeasuredRun run = run_measured({.command = planning()});
    EXPECT_EQ(run.result.exit_code, 0) << said(run.result);
    EXPECT_THAT(run.result.output, HasSubstr(fmt::format("ev_{}", partitions - 1)));
    peaks.push_back(run.peak_kilobytes);
  }
  EXPECT_GT(peaks[1], peaks[0]) << "what was measured is not the plan";
  EXPECT_TRUE(peaks[1] - peaks[0] <= 15 * 1500 || !kMemoryIsItsOwn) << peaks[0] << " kB, " << peaks[1] << " kB";
}

}  // namespace
}  // namespace pgsluice::test
