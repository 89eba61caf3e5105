#include <gtest/gtest.h>

#include "support/cluster.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  pgsluice::test::stop_shared_clusters();
  return result;
}
