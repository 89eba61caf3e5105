#include "base/duration.h"

#include <gtest/gtest.h>

namespace pgsluice {
namespace {

TEST(Duration, PicksTheUnitByLength) {
  using std::chrono::milliseconds;
  EXPECT_EQ(format_duration(milliseconds(420)), "0.42 s");
  EXPECT_EQ(format_duration(milliseconds(12300)), "12.3 s");
  EXPECT_EQ(format_duration(milliseconds(59960)), "1m00s");
  EXPECT_EQ(format_duration(std::chrono::seconds(252)), "4m12s");
  EXPECT_EQ(format_duration(std::chrono::seconds(3 * 3600 + 5 * 60)), "3h05m");
}

}  // namespace
}  // namespace pgsluice
