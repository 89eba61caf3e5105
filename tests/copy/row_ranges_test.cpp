#include "pgsluice/copy/row_ranges.h"

#include <gtest/gtest.h>

#include <limits>

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
  EXPECT_EQ(ranges[0].condition, "ctid < '(50,0)'::pg_catalog.tid");
  EXPECT_EQ(ranges[1].condition, "ctid >= '(50,0)'::pg_catalog.tid AND ctid < '(80,0)'::pg_catalog.tid");
  EXPECT_EQ(ranges[2].condition, "ctid >= '(80,0)'::pg_catalog.tid");
}

TEST(RangesOfBlocks, OfFewerBlocksThanPartsAreFewer) {
  const std::vector<RowRange> ranges = ranges_of_blocks({{1}, {1}, {1}, {1}}, {8192 * 2}, {8192});
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[0].condition, "ctid < '(1,0)'::pg_catalog.tid");
  EXPECT_EQ(ranges[1].condition, "ctid >= '(1,0)'::pg_catalog.tid");
  EXPECT_EQ(ranges_of_blocks({{1}, {1}}, {0}, {8192}).size(), 1U);
}

TEST(RangesOfKeys, CoverTheWholeOfTheType) {
  const KeySpan all{std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  const std::vector<RowRange> ranges = ranges_of_keys({{1}, {1}}, "k", all);
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[0].condition, "\"k\" IS NULL");
  EXPECT_EQ(ranges[1].condition, "\"k\" < -1");
  EXPECT_EQ(ranges[2].condition, "\"k\" >= -1");
}

TEST(RangesOfKeys, OfOneKeyAreOne) {
  const std::vector<RowRange> ranges = ranges_of_keys({{1}, {1}, {1}}, "k", {5, 5});
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[1].condition, "\"k\" IS NOT NULL");
}

}  // namespace
}  // namespace pgsluice::copy
