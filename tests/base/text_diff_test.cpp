#include "base/text_diff.h"

#include <gtest/gtest.h>

namespace pgsluice {
namespace {

TEST(TextDiff, ShowsTheLinesThatOnlyOneTextHas) {
  EXPECT_EQ(differing_lines("a\nb\nc\n", "a\nb\nc\n"), "");
  EXPECT_EQ(differing_lines("a\nb\nc\n", "a\nx\nc\n"), "- b\n+ x\n");
  EXPECT_EQ(differing_lines("a\nb\nc\nd\n", "b\nd\ne\n"), "- a\n- c\n+ e\n");
  EXPECT_EQ(differing_lines("", "a\n"), "+ a\n");
  EXPECT_EQ(differing_lines("a\na\n", "a\n"), "- a\n");
}

TEST(TextDiff, GivesUpOnTextsThatWouldTakeTooLong) {
  std::string first;
  std::string second;
  for (int i = 0; i < 3000; ++i) {
    first += "first " + std::to_string(i) + "\n";
    second += "second " + std::to_string(i) + "\n";
  }
  EXPECT_EQ(differing_lines(first, second), std::nullopt);
  EXPECT_EQ(differing_lines(first, first + "one more\n"), "+ one more\n");
}

}  // namespace
}  // namespace pgsluice
