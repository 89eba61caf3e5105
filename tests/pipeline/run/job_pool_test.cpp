// Turns that several runs share.
#include "pipeline/run/job_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/wait_until.h"

namespace pgsluice::pipeline {
namespace {

const auto kNever = [] { return false; };

// Takes a turn in a thread of its own.
class Waiting {
 public:
  Waiting(JobPool& pool, Lane lane)
      : pool_(pool), thread_([this, lane] {
          const std::optional<JobPool::Turn> turn = pool_.take(lane, 1, [this] {
            ++asked_;
            return false;
          });
          taken_ = true;
        }) {}

  // True once it has looked several times, and has got none: it asks twice if it gets one.
  bool waits() {
    return test::wait_until([this] {
             pool_.wake();
             return asked_ > 2;
           }) &&
           !taken_;
  }
  bool takes() {
    return test::wait_until([this] { return taken_.load(); });
  }

 private:
  JobPool& pool_;
  std::atomic<int> asked_{0};
  std::atomic<bool> taken_{false};
  std::jthread thread_;
};

TEST(JobPool, WhoseTaskCostsMostIsNext) {
  JobPool pool(1, 1, 2);
  std::optional<JobPool::Turn> first = pool.take(Lane::kCopy, 1, kNever);
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::jthread> threads;
  std::atomic<unsigned> waiting{0};  // a bit for each cost
  for (const int cost : {2, 5, 3, 4}) {
    threads.emplace_back([&, cost] {
      // Asked when it has taken its place.
      const std::optional<JobPool::Turn> turn = pool.take(Lane::kCopy, cost, [&] {
        waiting |= 1U << static_cast<unsigned>(cost);
        return false;
      });
      const std::lock_guard lock(mutex);
      order.push_back(cost);
    });
  }
  ASSERT_TRUE(test::wait_until([&] { return waiting == 0b111100U; }));
  EXPECT_TRUE(pool.is_wanted(Lane::kCopy, 1));
  EXPECT_FALSE(pool.is_wanted(Lane::kCopy, 3)) << "for little more sessions are not opened anew";
  EXPECT_FALSE(pool.is_wanted(Lane::kBuild, 1));
  first.reset();
  threads.clear();
  EXPECT_EQ(order, (std::vector<int>{5, 4, 3, 2}));
}

TEST(JobPool, NeverMoreThanItsJobsAtATime) {
  JobPool pool(3, 2, 2);
  std::atomic<int> copying{0};
  std::atomic<int> most{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 12; ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 200; ++round) {
          const std::optional<JobPool::Turn> turn = pool.take(Lane::kCopy, i, kNever);
          const int now = ++copying;
          for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {
          }
          std::this_thread::yield();
          --copying;
        }
      });
    }
  }
  EXPECT_LE(most, 3);
  std::vector<std::optional<JobPool::Turn>> turns;
  for (int i = 0; i < 3; ++i) turns.push_back(pool.take(Lane::kCopy, 1, kNever));
  EXPECT_FALSE(pool.take(Lane::kCopy, 1, [] { return true; })) << "no fourth";
}

TEST(JobPool, WhoGivesUpWaitsNoMore) {
  JobPool pool(1, 1, 1);
  const std::optional<JobPool::Turn> held = pool.take(Lane::kCopy, 1, kNever);
  std::atomic<bool> given_up{false};
  std::optional<JobPool::Turn> other;
  std::jthread thread([&] { other = pool.take(Lane::kCopy, 1, [&] { return given_up.load(); }); });
  given_up = true;
  pool.wake();
  thread.join();
  EXPECT_FALSE(other.has_value());
}

TEST(JobPool, WhileItIsPausedNobodyGetsATurn) {
  JobPool pool(2, 2);
  pool.set_paused(true);
  Waiting waiting(pool, Lane::kBuild);
  EXPECT_TRUE(waiting.waits());
  pool.set_paused(false);
  EXPECT_TRUE(waiting.takes());
}

// Turns above a new limit are given back one by one, and no more are taken than it allows.
TEST(JobPool, ALimitTakesEffectAsTurnsEnd) {
  JobPool pool(3, 1);
  EXPECT_FALSE(pool.takes_idle_turns());
  std::vector<std::optional<JobPool::Turn>> turns;
  for (int i = 0; i < 3; ++i) turns.push_back(pool.take(Lane::kCopy, 1, kNever));
  pool.limit_copying(1);
  EXPECT_TRUE(pool.takes_idle_turns());
  EXPECT_TRUE(pool.is_wanted(Lane::kCopy, 1));
  turns.pop_back();
  EXPECT_TRUE(pool.is_wanted(Lane::kCopy, 1));
  turns.pop_back();
  EXPECT_FALSE(pool.is_wanted(Lane::kCopy, 1)) << "the one that is left goes on";
  Waiting waiting(pool, Lane::kCopy);
  EXPECT_TRUE(waiting.waits());
  pool.limit_copying(2);
  EXPECT_TRUE(waiting.takes());
  pool.limit_copying(100);
  EXPECT_FALSE(pool.takes_idle_turns());
}

}  // namespace
}  // namespace pgsluice::pipeline
