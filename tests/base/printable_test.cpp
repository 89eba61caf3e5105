#include "base/printable.h"

#include <gtest/gtest.h>

namespace pgsluice {
namespace {

TEST(Printable, EscapesWhatTerminalsObeyAndKeepsTheRest) {
  EXPECT_EQ(printable("orders", LineEnds::kEscaped), "orders");
  EXPECT_EQ(printable("t\xc3\xa4glich", LineEnds::kEscaped), "t\xc3\xa4glich");
  EXPECT_EQ(printable("\x1b[31mred\x7f", LineEnds::kEscaped), "\\x1b[31mred\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J",
                      LineEnds::kEscaped),
            "\\x9b2J");
  EXPECT_EQ(printable("gpj.\xe2\x80\xae"
                      "exe \xe2\x81\xa6\xe2\x82\xac",
                      LineEnds::kEscaped),
            "gpj.\\xe2\\x80\\xaeexe \\xe2\\x81\\xa6\xe2\x82\xac");
  EXPECT_EQ(printable("a\tb", LineEnds::kEscaped), "a\tb");
  EXPECT_EQ(printable("a\nb\r", LineEnds::kEscaped), "a\\x0ab\\x0d");
  EXPECT_EQ(printable("a\nb\r", LineEnds::kKept), "a\n\tb\\x0d");
}

}  // namespace
}  // namespace pgsluice
