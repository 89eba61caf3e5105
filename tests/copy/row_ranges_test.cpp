#include "copy/row_ranges.h"

#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace pgsluice::copy {
namespace {

constexpr std::int64_t kMega = 1024 * 1024;

std::int64_t sum(const std::vector<Bytes>& sizes) {
  std::int64_t sum = 0;
  for (const Bytes size : sizes) sum += size.count;
  return sum;
}

TEST(ShrinkingSizes, BeginLargeAndEndSmall) {
  const std::vector<Bytes> sizes = shrinking_sizes({1000 * kMega}, 4, {10 * kMega}, 0);
  EXPECT_EQ(sum(sizes), 1000 * kMega);
  EXPECT_EQ(sizes.front(), Bytes{125 * kMega});
  for (std::size_t i = 1; i + 1 < sizes.size(); ++i) EXPECT_LE(sizes[i], sizes[i - 1]);
  EXPECT_LE(sizes.back(), Bytes{15 * kMega});
}

TEST(ShrinkingSizes, AreAtMostSoMany) {
  const std::vector<Bytes> sizes = shrinking_sizes({1000 * kMega}, 4, {10 * kMega}, 5);
  EXPECT_EQ(sizes.size(), 5U);
  EXPECT_EQ(sum(sizes), 1000 * kMega);
  EXPECT_EQ(sizes.front(), sizes.back()) << "the rest would be one large part";
}

TEST(EqualSizes, AreNotLargerThanWanted) {
  EXPECT_EQ(equal_sizes({1000}, {300}, 0).size(), 4U);
  EXPECT_EQ(equal_sizes({1000}, {1000}, 0).size(), 1U);
  EXPECT_EQ(equal_sizes({1000}, {1}, 7).size(), 7U);
}

TEST(RangesOfBlocks, MeetWithoutAGapAndHaveNoEnd) {
  const std::vector<RowRange> ranges = ranges_of_blocks({{50}, {30}, {20}}, {8192 * 100}, {8192});
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[0].condition(), "ctid < '(50,0)'::pg_catalog.tid");
  EXPECT_EQ(ranges[1].condition(), "ctid >= '(50,0)'::pg_catalog.tid AND ctid < '(80,0)'::pg_catalog.tid");
  EXPECT_EQ(ranges[2].condition(), "ctid >= '(80,0)'::pg_catalog.tid");
}

TEST(RangesOfBlocks, OfFewerBlocksThanPartsAreFewer) {
  const std::vector<RowRange> ranges = ranges_of_blocks({{1}, {1}, {1}, {1}}, {8192 * 2}, {8192});
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[0].condition(), "ctid < '(1,0)'::pg_catalog.tid");
  EXPECT_EQ(ranges[1].condition(), "ctid >= '(1,0)'::pg_catalog.tid");
  EXPECT_EQ(ranges_of_blocks({{1}, {1}}, {0}, {8192}).size(), 1U);
}

TEST(RangesOfKeys, CoverTheWholeOfTheType) {
  const KeySpan all{std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  const std::vector<RowRange> ranges = ranges_of_keys({{1}, {1}}, "k", all);
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[0].condition(), "\"k\" IS NULL");
  EXPECT_EQ(ranges[1].condition(), "\"k\" < -1");
  EXPECT_EQ(ranges[2].condition(), "\"k\" >= -1");
}

TEST(RangesOfKeys, OfOneKeyAreOne) {
  const std::vector<RowRange> ranges = ranges_of_keys({{1}, {1}, {1}}, "k", {5, 5});
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[1].condition(), "\"k\" IS NOT NULL");
}

RowRange loaded(std::optional<std::int64_t> from, std::optional<std::int64_t> to, const std::string& by = "ctid") {
  const RangeBounds bounds{.by = by, .from = from, .to = to};
  return {.bounds = bounds, .loaded = LoadedRows{}};
}

std::vector<std::string> missing_of(const std::vector<RowRange>& ranges) {
  std::vector<std::string> conditions;
  for (const RowRange& range : ranges) {
    if (!range.loaded) conditions.push_back(range.condition());
  }
  return conditions;
}

TEST(AroundLoaded, IsThePlanWhereNothingIsLoaded) {
  const std::vector<RowRange> planned = ranges_of_blocks({{50}, {30}, {20}}, {8192 * 100}, {8192});
  EXPECT_EQ(around_loaded(planned, {}).size(), 3U);
}

TEST(AroundLoaded, IsTheComplementCutWhereThePlanIs) {
  const std::vector<RowRange> planned = ranges_of_blocks({{50}, {30}, {20}}, {8192 * 100}, {8192});
  EXPECT_EQ(missing_of(around_loaded(planned, {loaded(50, 80)})),
            (std::vector<std::string>{"ctid < '(50,0)'::pg_catalog.tid", "ctid >= '(80,0)'::pg_catalog.tid"}));
  // Cut otherwise than by the run before: its limits count.
  EXPECT_EQ(missing_of(around_loaded(planned, {loaded(60, {}), loaded(10, 20)})),
            (std::vector<std::string>{"ctid < '(10,0)'::pg_catalog.tid",
                                      "ctid >= '(20,0)'::pg_catalog.tid AND ctid < '(50,0)'::pg_catalog.tid",
                                      "ctid >= '(50,0)'::pg_catalog.tid AND ctid < '(60,0)'::pg_catalog.tid"}));
  EXPECT_TRUE(missing_of(around_loaded(planned, {loaded({}, 70), loaded(70, {})})).empty());
  EXPECT_TRUE(missing_of(around_loaded({RowRange{.size = {1}}}, {loaded({}, 70), loaded(70, {})})).empty());
}

TEST(AroundLoaded, OfAWholeTableIsNothingMore) {
  const RowRange whole{.loaded = LoadedRows{5, {}}};
  EXPECT_TRUE(missing_of(around_loaded(ranges_of_blocks({{1}, {1}}, {8192 * 2}, {8192}), {whole})).empty());
}

TEST(AroundLoaded, KnowsRowsWithoutAKey) {
  const std::vector<RowRange> planned = ranges_of_keys({{1}, {1}}, "k", {0, 100});
  EXPECT_EQ(missing_of(around_loaded(planned, {loaded({}, 50, "k")})),
            (std::vector<std::string>{"\"k\" >= 50", "\"k\" IS NULL"}));
  RowRange nulls = planned[0];
  nulls.loaded = LoadedRows{};
  EXPECT_EQ(missing_of(around_loaded(planned, {nulls})), (std::vector<std::string>{"\"k\" < 50", "\"k\" >= 50"}));
  // The least of numbers is one like others: what begins with it does not begin with the first row.
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(missing_of(around_loaded(planned, {loaded(least, {}, "k")})),
            (std::vector<std::string>{"\"k\" < -9223372036854775808", "\"k\" IS NULL"}));
}

// Every row of an archive's file is in some frame, unlike rows whose key is NULL.
TEST(AroundLoaded, FramesLeaveNoRowsWithoutANumber) {
  const std::vector<RowRange> planned = ranges_of_frames({{50}, {30}, {20}}, {100 * kFrameSize.count});
  ASSERT_EQ(planned.size(), 3U);
  EXPECT_EQ(planned[1].bounds, (RangeBounds{.by = std::string(kByFrames), .from = 50, .to = 80}));
  std::vector<RowRange> all = around_loaded(planned, {loaded({}, 50, std::string(kByFrames).c_str())});
  ASSERT_EQ(all.size(), 3U);
  for (const RowRange& range : all) EXPECT_FALSE(range.bounds.nulls);
}

}  // namespace
}  // namespace pgsluice::copy
