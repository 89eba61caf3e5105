#include "pg/advisory_lock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <thread>

#include "tests/support/cluster.h"

namespace pgsluice::pg {
namespace {

constexpr AdvisoryLock kLock = AdvisoryLock::kMigration;

TEST(AdvisoryLock, IsWaitedForWhileTheSessionThatHadItEnds) {
  std::optional<Connection> before(test::shared_target().connect("postgres"));
  ASSERT_TRUE(try_lock(*before, kLock));
  Connection next = test::shared_target().connect("template1");
  const std::jthread ends([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    before.reset();
  });
  EXPECT_TRUE(lock_on_server(next, kLock));
}

TEST(AdvisoryLock, OfASessionThatGoesOnIsNotTaken) {
  Connection holder = test::shared_target().connect("postgres");
  ASSERT_TRUE(try_lock(holder, kLock));
  Connection same = test::shared_target().connect("postgres");
  EXPECT_FALSE(lock_on_server(same, kLock));
  Connection other = test::shared_target().connect("template1");
  EXPECT_FALSE(lock_on_server(other, kLock));
}

}  // namespace
}  // namespace pgsluice::pg
