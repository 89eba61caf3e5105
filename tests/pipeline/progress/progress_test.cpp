#include "pipeline/progress/progress.h"

#include <gtest/gtest.h>

#include "pipeline/plan/table_plan.h"

namespace pgsluice::pipeline {
namespace {

// A definition, two parts of one table, another table, and a barrier.
class ProgressTest : public ::testing::Test {
 protected:
  ProgressTest() {
    large_ = {.oid = 10, .schema = "public", .name = "large", .heap_size = {800}};
    small_ = {.oid = 11, .schema = "public", .name = "small", .heap_size = {100}};
    plans_[0].table = plans_[0].into = &large_;
    plans_[1].table = plans_[1].into = &small_;
    ranges_.resize(3);
    graph_.add({.kind = TaskKind::kPreData, .name = "table large", .cost = 10});
    for (const std::size_t table : {0, 0, 1}) {
      const std::size_t part = graph_.size() - 1;
      graph_.add({.kind = TaskKind::kTableData,
                  .lane = Lane::kCopy,
                  .name = plans_[table].table->name,
                  .cost = 100,
                  .relation = plans_[table].table,
                  .table = &plans_[table],
                  .range = &ranges_[part]});
    }
    graph_.add({.name = "all rows"});
    progress_.set_work(graph_);
  }

  static copy::LoadedRows rows(std::int64_t count, copy::CopyFormat format = copy::CopyFormat::kBinary) {
    return {.rows = count, .bytes = {count * 10}, .format = format};
  }

  schema::Relation large_;
  schema::Relation small_;
  std::array<TablePlan, 2> plans_;
  std::vector<copy::RowRange> ranges_;
  TaskGraph graph_;
  Progress progress_;
};

constexpr TaskId kDefinition = 0;
constexpr TaskId kFirstPart = 1;
constexpr TaskId kSecondPart = 2;
constexpr TaskId kSmall = 3;

TEST_F(ProgressTest, ATableIsDoneWithItsLastPart) {
  EXPECT_EQ(progress_.snapshot().tables_total, 2U);
  EXPECT_EQ(progress_.snapshot().tasks_total, 4U);
  EXPECT_EQ(progress_.snapshot().pending.count, 900);
  {
    Progress::Running running(progress_, {kFirstPart}, "large");
    running.bytes() += 50;
    const ProgressSnapshot now = progress_.snapshot();
    EXPECT_EQ(now.tables_running, 1U);
    EXPECT_EQ(now.copied.count, 50);
    EXPECT_EQ(now.pending.count, 850);
    ASSERT_EQ(now.running.size(), 1U);
    EXPECT_EQ(now.running[0].name, "large");
    progress_.add_rows(kFirstPart, rows(5), std::chrono::milliseconds(3));
  }
  EXPECT_EQ(progress_.snapshot().tables_done, 0U);
  progress_.add_done(kSecondPart, rows(7, copy::CopyFormat::kText));
  EXPECT_EQ(progress_.snapshot().tables_done, 1U);
  EXPECT_EQ(progress_.snapshot().copied_before.count, 70);
  const CloneSummary summary = progress_.summary();
  ASSERT_EQ(summary.tables.size(), 1U) << "what has no rows yet is no result";
  EXPECT_EQ(summary.tables[0].rows, 12);
  EXPECT_EQ(summary.tables[0].parts, 2);
  EXPECT_EQ(summary.tables[0].format, "binary, text");
}

TEST_F(ProgressTest, TasksThatWillBeRetriedAreNotDone) {
  progress_.record_events(true);
  {
    Progress::Running running(progress_, {kFirstPart, kSmall}, "large");
    EXPECT_EQ(progress_.snapshot().running[0].name, "large and 1 more");
    running.will_retry();
  }
  { const Progress::Running running(progress_, {kDefinition}, "table large"); }
  EXPECT_EQ(progress_.snapshot().tasks_done, 1U);
  std::vector<std::pair<TaskId, Progress::Event::Kind>> events;
  for (const Progress::Event& event : progress_.take_events()) events.emplace_back(event.task, event.kind);
  using Kind = Progress::Event::Kind;
  EXPECT_EQ(events, (std::vector<std::pair<TaskId, Kind>>{{kFirstPart, Kind::kBegan},
                                                          {kSmall, Kind::kBegan},
                                                          {kFirstPart, Kind::kWillRetry},
                                                          {kSmall, Kind::kWillRetry},
                                                          {kDefinition, Kind::kBegan},
                                                          {kDefinition, Kind::kEnded}}));
}

TEST_F(ProgressTest, ARecoveredRunCountsFromItsLedger) {
  { const Progress::Running running(progress_, {kSmall}, "small"); }
  progress_.add_rows(kSmall, rows(3), {});
  progress_.set_work(graph_);
  progress_.add_done(kFirstPart, rows(2));
  const ProgressSnapshot now = progress_.snapshot();
  EXPECT_EQ(now.tasks_done, 1U);
  EXPECT_EQ(now.rows, 2);
  EXPECT_EQ(now.copied.count, 20);
}

TEST_F(ProgressTest, NothingIsWholeBeforeItIs) {
  for (const TaskId task : {kFirstPart, kSecondPart, kSmall}) progress_.add_done(task, {});
  EXPECT_LE(progress_.snapshot().fraction, 0.99);
  { const Progress::Running running(progress_, {kDefinition}, "table large"); }
  EXPECT_EQ(progress_.snapshot().fraction, 1);
}

}  // namespace
}  // namespace pgsluice::pipeline
