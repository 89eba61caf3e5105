#include "pg/receive_pace.h"

#include <gtest/gtest.h>

namespace pgsluice::pg {
namespace {

using std::chrono::microseconds;

class ReceivePaceTest : public ::testing::Test {
 protected:
  void receive(std::size_t bytes, int times = 1) {
    for (int i = 0; i < times; ++i) pace_.received(bytes, now_);
  }
  microseconds rest() const { return pace_.rest_left(now_); }

  SteadyClock::time_point now_ = SteadyClock::now();
  ReceivePace pace_;
};

TEST_F(ReceivePaceTest, AStreamOfASmallTableIsReceivedAsItComes) {
  receive(8192, ReceivePace::kLongStream / 8192 - 1);
  EXPECT_EQ(rest(), microseconds(0));
}

TEST_F(ReceivePaceTest, SmallPiecesOfALongStreamAreLeftToGatherUpToTheLongestRest) {
  receive(ReceivePace::kLongStream - 8192);
  receive(8192);
  EXPECT_EQ(rest(), ReceivePace::kShortestRest);
  receive(8192);
  EXPECT_EQ(rest(), 2 * ReceivePace::kShortestRest);
  receive(8192, 20);
  EXPECT_EQ(rest(), ReceivePace::kLongestRest);
}

TEST_F(ReceivePaceTest, WhatComesAsWantedKeepsTheRestAndWhatIsLargerShortensItAsMuch) {
  receive(ReceivePace::kLongStream);
  receive(8192, 4);
  const microseconds before = rest();
  receive(ReceivePace::kAim);
  EXPECT_EQ(rest(), before);
  receive(2 * ReceivePace::kAim);
  EXPECT_EQ(rest(), before / 2);
  receive(100 * ReceivePace::kAim);
  EXPECT_EQ(rest(), microseconds(0));
}

TEST_F(ReceivePaceTest, WhereNothingHasComeTheNextBytesAreWaitedFor) {
  receive(ReceivePace::kLongStream);
  receive(8192, 3);
  receive(0);
  EXPECT_EQ(rest(), microseconds(0));
}

TEST_F(ReceivePaceTest, ARestEndsByItselfAndWithTheRows) {
  receive(ReceivePace::kLongStream);
  receive(8192);
  EXPECT_EQ(pace_.rest_left(now_ + ReceivePace::kShortestRest), microseconds(0));
  EXPECT_TRUE(pace_.rests());
  pace_.reset();
  EXPECT_FALSE(pace_.rests());
  receive(8192);
  EXPECT_EQ(rest(), microseconds(0)) << "the next stream begins as a short one";
}

}  // namespace
}  // namespace pgsluice::pg
