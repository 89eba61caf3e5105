#include "pgsluice/copy/ledger.h"

#include <gtest/gtest.h>

#include "support/cluster.h"

namespace pgsluice::copy {
namespace {

// A line may fail right behind the commit: whoever resumes has to know the session that is left, and keeps the target.
TEST(Ledger, TheSessionThatMakesItStandsInIt) {
  test::shared_target().create_database("ledger");
  pg::Connection target = test::shared_target().connect("ledger", Side::kTarget);
  const Backend own = create_ledger(target, "what it is");
  EXPECT_EQ(std::to_string(own.pid), target.execute("SELECT pg_backend_pid()")[0].text(0));
  const std::vector<Backend> sessions = read_sessions(target);
  ASSERT_EQ(sessions.size(), 1U);
  EXPECT_EQ(sessions[0].pid, own.pid);
  EXPECT_EQ(sessions[0].started, own.started);
}

}  // namespace
}  // namespace pgsluice::copy
