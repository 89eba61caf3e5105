// Words that files and documents contain: they identify, so they do not change when a label does.
#include <gmock/gmock.h>

#include "pgsluice/error.h"
#include "pipeline/plan/tasks_done.h"
#include "pipeline/prepare/run_record.h"

namespace pgsluice::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TaskKindIds, NeverChange) {
  std::vector<std::string> ids;
  for (int kind = 0; kind <= static_cast<int>(TaskKind::kDurability); ++kind) {
    ids.emplace_back(id_of(static_cast<TaskKind>(kind)));
    EXPECT_EQ(task_kind_of(ids.back()), static_cast<TaskKind>(kind));
  }
  EXPECT_THAT(ids,
              ElementsAre("barrier", "pre-data", "table-data", "large-objects", "sequences", "release-snapshot",
                          "index-build", "post-data", "carried-statistics", "statistics", "validation", "verification",
                          "acl", "materialized-view", "event-trigger", "database-property", "durability"));
  EXPECT_EQ(task_kind_of("table data"), std::nullopt) << "that is its label";
}

TEST(StepIds, NeverChange) {
  EXPECT_THAT(ids_of(all_steps()), ElementsAre("constraints", "indexes", "large-objects", "post-data", "pre-data",
                                               "sequences", "statistics", "table-data"));
}

TEST(TaskMarks, AreOfStatementsAndIdsAndNotOfLabels) {
  const auto marks_of = [](const char* name, const char* sql, TaskKind kind) {
    Plan plan;
    plan.graph.add({.kind = kind, .name = name, .sql = sql});
    return task_marks(plan);
  };
  const std::vector<std::string> mark = marks_of("one label", "CREATE INDEX i ON t (a)", TaskKind::kIndexBuild);
  EXPECT_EQ(mark, marks_of("another label", "CREATE INDEX i ON t (a)", TaskKind::kIndexBuild));
  EXPECT_NE(mark, marks_of("one label", "CREATE INDEX i ON t (b)", TaskKind::kIndexBuild));
  EXPECT_NE(mark, marks_of("one label", "CREATE INDEX i ON t (a)", TaskKind::kPostData));
}

TEST(TaskMarks, TellTheSameStatementTwiceApart) {
  Plan plan;
  for (int i = 0; i < 2; ++i) plan.graph.add({.kind = TaskKind::kPostData, .name = "twice", .sql = "SELECT 1"});
  const std::vector<std::string> marks = task_marks(plan);
  EXPECT_NE(marks[0], marks[1]);
}

TEST(RunRecordFormat, AnOlderOneIsRefusedByItsNumber) {
  try {
    RunRecord::parse(R"({"format": 2, "id": "x"})");
    FAIL() << "it was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kState);
    EXPECT_THAT(error.what(), HasSubstr("it has format 2, and this version reads format 3"));
  }
  EXPECT_THROW(RunRecord::parse("{}"), Error);
  EXPECT_THROW(RunRecord::parse("nonsense"), Error);
}

}  // namespace
}  // namespace pgsluice::pipeline
