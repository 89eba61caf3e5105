#include "pgsluice/bytes.h"

#include <gtest/gtest.h>

#include "pgsluice/error.h"

namespace pgsluice {
namespace {

TEST(Bytes, ReadsNumbersWithUnitsOfAnyCase) {
  EXPECT_EQ(parse_bytes("250 GB").count, 250LL * 1024 * 1024 * 1024);
  EXPECT_EQ(parse_bytes("10kB").count, 10 * 1024);
  EXPECT_EQ(parse_bytes(" 1.5 tb ").count, 1536LL * 1024 * 1024 * 1024);
  EXPECT_EQ(parse_bytes("0").count, 0);
  EXPECT_EQ(parse_bytes("42 B").count, 42);
}

TEST(Bytes, RefusesWhatIsNoSizeAndSaysWhatIs) {
  for (const char* text : {"", "GB", "-1 GB", "1 XB", "1e30 PB", "nan", "inf", "10 G B"}) {
    try {
      parse_bytes(text);
      ADD_FAILURE() << "accepted \"" << text << "\"";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
      EXPECT_NE(error.describe().find("512 MB"), std::string::npos) << error.describe();
    }
  }
}

TEST(Bytes, ShowsSizesAsPeopleReadThem) {
  EXPECT_EQ(to_string(Bytes{0}), "0 bytes");
  EXPECT_EQ(to_string(Bytes{1023}), "1023 bytes");
  EXPECT_EQ(to_string(Bytes{1536}), "1.5 kB");
  EXPECT_EQ(to_string(Bytes{200LL * 1024 * 1024}), "200 MB");
}

}  // namespace
}  // namespace pgsluice
