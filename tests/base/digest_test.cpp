#include "base/digest.h"

#include <gtest/gtest.h>

#include "pgsluice/error.h"

namespace pgsluice {
namespace {

TEST(Digest, IsTheSameInPieces) {
  Digester digester;
  digester.add("a te");
  digester.add("xt");
  EXPECT_EQ(digester.finish(), digest_of("a text"));
  digester.add("another");
  EXPECT_EQ(digester.finish(), digest_of("another")) << "it begins anew";
  EXPECT_NE(digest_of("a text"), digest_of("a texu"));
}

TEST(Digest, AddsUpWithACarry) {
  Digest sum{.high = 1, .low = ~0ULL};
  sum += {.high = 2, .low = 1};
  EXPECT_EQ(sum, (Digest{.high = 4, .low = 0}));
}

TEST(Digest, IsWrittenAndRead) {
  const Digest digest{.high = 0x0123456789abcdefULL, .low = 0xfULL};
  EXPECT_EQ(digest.hex(), "0123456789abcdef000000000000000f");
  EXPECT_EQ(Digest::parse(digest.hex()), digest);
  for (const char* wrong : {"", "0123456789abcdef000000000000000", "0123456789abcdef00000000000000zz"}) {
    EXPECT_THROW(Digest::parse(wrong), Error) << wrong;
  }
}

}  // namespace
}  // namespace pgsluice
