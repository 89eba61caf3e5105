#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/support/cluster.h"

namespace {

// With PGSLUICE_TEST_HOLD set, a test that fails stops where it fails, with its servers running, until Enter is
// pressed.
class HoldAtFailure : public ::testing::EmptyTestEventListener {
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::cerr << "\nheld at this failure; the servers that run:\n";
    for (const std::string& conninfo : pgsluice::test::running_clusters()) {
      std::cerr << "  psql \"" << conninfo << "\"\n";
    }
    std::cerr << "Enter goes on\n";
    std::string line;
    std::getline(std::cin, line);
  }
};

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  // A shell that runs the tests in the background has them ignore it, which the commands that they run would inherit.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGHUP, SIG_DFL);
  if (std::getenv("PGSLUICE_TEST_HOLD") != nullptr) {
    ::testing::UnitTest::GetInstance()->listeners().Append(new HoldAtFailure);
  }
  const int result = RUN_ALL_TESTS();
  pgsluice::test::stop_shared_clusters();
  return result;
}
