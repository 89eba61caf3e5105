#include "pipeline/plan/table_plan.h"

#include <gtest/gtest.h>

namespace pgsluice::pipeline {
namespace {

using copy::CopyFormat;
using copy::Loading;
using schema::ColumnType;

constexpr std::int64_t kGiga = 1024LL * 1024 * 1024;

class TablePlanTest : public ::testing::Test {
 protected:
  TablePlanTest() {
    catalog_.server_version = 150000;
    catalog_.types = {{23, {.name = "integer", .built_in = true}}, {24, {.name = "regproc", .built_in = true}}};
  }

  schema::Relation& add(schema::Oid oid, Bytes heap, Bytes toast = {}) {
    schema::Relation table{.oid = oid, .schema = "s", .name = "t" + std::to_string(oid)};
    table.access_method = "heap";
    table.columns = {"i"};
    table.column_types = {23};
    table.heap_size = heap;
    table.toast_size = toast;
    catalog_.relations.push_back(table);
    return catalog_.relations.back();
  }

  TablePlan first() { return plan_tables(input()).front(); }
  TablePlanInput input() {
    return {.source = catalog_,
            .target_version = target_version_,
            .table_jobs = 4,
            .format = format_,
            .split = split_,
            .key_spans = spans_};
  }

  schema::Catalog catalog_;
  int target_version_ = 150000;
  copy::FormatWish format_ = copy::FormatWish::kAuto;
  copy::SplitOptions split_;
  std::map<schema::Oid, copy::KeySpan> spans_;
};

TEST_F(TablePlanTest, ASmallTableTravelsWithOthersAndIsOnlyAnalyzed) {
  add(1, {100000});
  EXPECT_EQ(first().loading, Loading::kAppend);
  EXPECT_EQ(first().upkeep, Upkeep::kAnalyze);
}

TEST_F(TablePlanTest, ATableOfOneStreamIsFrozenAndNeedsNoVacuum) {
  add(1, {kGiga / 2});
  EXPECT_EQ(first().loading, Loading::kFreeze);
  EXPECT_EQ(first().upkeep, Upkeep::kAnalyze);
  target_version_ = 130000;
  EXPECT_EQ(first().loading, Loading::kFreeze);
  EXPECT_EQ(first().upkeep, Upkeep::kVacuumAnalyze) << "no page was marked all-visible before 14";
}

TEST_F(TablePlanTest, ATableWithMuchToastIsVacuumed) {
  add(1, {kGiga / 8}, {kGiga / 4});
  EXPECT_EQ(first().loading, Loading::kFreeze);
  EXPECT_EQ(first().upkeep, Upkeep::kVacuumAnalyze);
}

TEST_F(TablePlanTest, AutoSplitsWhatIsMoreThanAFairShare) {
  add(1, {40 * kGiga});
  add(2, {2 * kGiga});
  const std::vector<TablePlan> plans = plan_tables(input());
  EXPECT_GT(plans[0].ranges.size(), 8U);
  EXPECT_EQ(plans[0].loading, Loading::kAppend);
  EXPECT_EQ(plans[0].upkeep, Upkeep::kVacuumAnalyze);
  EXPECT_EQ(plans[1].ranges.size(), 1U);
}

TEST_F(TablePlanTest, TheLimitOfPartsCountsThatOfRowsWithoutAKey) {
  add(1, {kGiga}).integer_key = "i";
  spans_[1] = {.least = 1, .greatest = 1'000'000};
  for (const int most : {1, 2, 3, 10}) {
    split_ = {.when = copy::SplitOptions::When::kLarger, .size = {kGiga / 100}, .max_parts = most, .by_ctid = false};
    EXPECT_EQ(first().ranges.size(), static_cast<std::size_t>(most));
  }
}

TEST_F(TablePlanTest, TheSizeForAFairShareCountsToast) {
  add(1, {kGiga}, {40 * kGiga});
  EXPECT_GT(first().ranges.size(), 8U);
}

TEST_F(TablePlanTest, ASizeThatWasAskedForSplitsByKeysFirst) {
  add(1, {10 * kGiga}).integer_key = "i";
  spans_[1] = {1, 1000};
  split_ = {.when = copy::SplitOptions::When::kLarger, .size = {3 * kGiga}};
  EXPECT_EQ(first().ranges.size(), 5U) << "four, and the rows without a key";
  EXPECT_NE(first().ranges[1].condition().find("\"i\""), std::string::npos);
  split_.when = copy::SplitOptions::When::kAuto;
  EXPECT_NE(first().ranges[1].condition().find("ctid"), std::string::npos);
}

TEST_F(TablePlanTest, AnOldSourceIsSplitByKeysOrNot) {
  add(1, {40 * kGiga});
  catalog_.server_version = 130000;
  EXPECT_EQ(first().ranges.size(), 1U);
  EXPECT_NE(first().reason.find("not split"), std::string::npos) << first().reason;
  catalog_.relations[0].integer_key = "i";
  ASSERT_EQ(tables_split_by_key(input()).size(), 1U);
  spans_[1] = {1, 1000};
  EXPECT_GT(first().ranges.size(), 8U);
}

TEST_F(TablePlanTest, OnlyHeapTablesAreSplitAndFrozen) {
  add(1, {40 * kGiga}).access_method = "columnar";
  EXPECT_EQ(first().ranges.size(), 1U);
  EXPECT_EQ(first().loading, Loading::kAppend);
  EXPECT_NE(first().reason.find("only heap tables"), std::string::npos);
}

TEST_F(TablePlanTest, NeverMeansNever) {
  add(1, {40 * kGiga});
  split_.when = copy::SplitOptions::When::kNever;
  EXPECT_EQ(first().ranges.size(), 1U);
}

TEST_F(TablePlanTest, TheFormatIsBinaryWhereEveryTypeAllowsItAndSaysWhyNot) {
  add(1, {kGiga});
  EXPECT_EQ(first().format, CopyFormat::kBinary);
  format_ = copy::FormatWish::kText;
  EXPECT_EQ(first().format, CopyFormat::kText);
  format_ = copy::FormatWish::kBinary;
  catalog_.relations[0].column_types = {24};
  EXPECT_EQ(first().format, CopyFormat::kText);
  EXPECT_NE(first().reason.find("not safe for COPY BINARY: column i: type regproc"), std::string::npos)
      << first().reason;
}

}  // namespace
}  // namespace pgsluice::pipeline
