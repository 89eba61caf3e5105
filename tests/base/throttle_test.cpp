// Streams held to a rate. No time is required to be short; what a correct throttle never does is to be faster.
#include "base/throttle.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "pgsluice/error.h"
#include "tests/support/wait_until.h"

namespace pgsluice {
namespace {

constexpr std::int64_t kMany = 1'000'000;

double seconds_of(const std::function<void()>& work) {
  const auto begin = SteadyClock::now();
  work();
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

TEST(Throttle, WithoutALimitNothingWaits) {
  Throttle throttle;
  for (int i = 0; i < 1000; ++i) throttle.passed(INT64_MAX / 2, {});
  throttle.set({1}, false);
  throttle.set({}, false);
  throttle.passed(INT64_MAX / 2, {});
}

TEST(Throttle, StreamsShareTheRate) {
  Throttle throttle;
  throttle.set({10 * kMany}, false);
  const double seconds = seconds_of([&] {
    std::vector<std::jthread> streams;
    for (int i = 0; i < 4; ++i) {
      streams.emplace_back([&] {
        for (int piece = 0; piece < 10; ++piece) throttle.passed(kMany / 8, {});
      });
    }
  });
  // 5 MB, of which a tenth of a second's may have been saved up.
  EXPECT_GE(seconds, 0.5 - 0.1);
}

TEST(Throttle, AStreamThatWaitsGoesByTheNewRate) {
  Throttle throttle;
  throttle.set({1}, false);
  std::atomic<int> passed{0};
  std::vector<std::jthread> streams;
  for (int i = 0; i < 3; ++i) {
    streams.emplace_back([&] {
      throttle.passed(kMany, {});  // eleven days
      ++passed;
    });
  }
  throttle.set({2}, false);
  EXPECT_EQ(passed, 0);
  throttle.set({100 * kMany}, false);
  EXPECT_TRUE(test::wait_until([&] { return passed == 3; }));
}

TEST(Throttle, StoppedNothingPassesUntilItGoesOn) {
  Throttle throttle;
  throttle.set({}, true);
  throttle.set({kMany}, true);  // another rate is no end of it
  // One that has to wait finds itself cancelled.
  CancelSource cancelled;
  cancelled.cancel();
  EXPECT_THROW(throttle.passed(1, cancelled.token()), Error);
  std::atomic<bool> passed{false};
  std::jthread stream([&] {
    throttle.passed(1, {});
    passed = true;
  });
  throttle.set({kMany}, false);
  EXPECT_TRUE(test::wait_until([&] { return passed.load(); }));
}

// After a stop the streams go on at the rate, and no faster.
TEST(Throttle, AStopSavesNothingUp) {
  Throttle throttle;
  throttle.set({kMany}, false);
  throttle.set({kMany}, true);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  throttle.set({kMany}, false);
  EXPECT_GE(seconds_of([&] { throttle.passed(kMany / 2, {}); }), 0.39);
}

TEST(Throttle, ACancellationEndsTheWait) {
  Throttle throttle;
  throttle.set({1}, false);
  CancelSource cancel;
  std::jthread canceller([&] { cancel.cancel(); });
  try {
    throttle.passed(kMany, cancel.token());
    ADD_FAILURE() << "it passed";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
}

}  // namespace
}  // namespace pgsluice
