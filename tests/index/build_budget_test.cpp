#include "index/build_budget.h"

#include <gtest/gtest.h>

namespace pgsluice::index {
namespace {

TEST(BuildBudget, ABuildAloneGetsTheWholeAsFarAsItsWorkersGo) {
  BuildBudget budget({400}, 4, 8);
  const BuildBudget::Share share = budget.take(0);
  EXPECT_EQ(share.parallel_workers(), 3);
  EXPECT_EQ(share.memory().count, 400);
}

TEST(BuildBudget, OthersThatAreReadyKeepTheirPlaces) {
  BuildBudget budget({400}, 4, 8);
  const BuildBudget::Share first = budget.take(2);
  EXPECT_EQ(first.parallel_workers(), 0);
  EXPECT_EQ(first.memory().count, 100);
  const BuildBudget::Share second = budget.take(1);
  EXPECT_EQ(second.parallel_workers(), 0);
  EXPECT_EQ(budget.take(0).memory().count, 200) << "the last one gets what is left";
}

TEST(BuildBudget, TheLastBuildsShareThePlacesEvenly) {
  BuildBudget budget({400}, 4, 8);
  const BuildBudget::Share first = budget.take(1);
  const BuildBudget::Share second = budget.take(0);
  EXPECT_EQ(first.parallel_workers(), 1);
  EXPECT_EQ(second.parallel_workers(), 1);
}

TEST(BuildBudget, MoreThanThereArePlacesGetOneEach) {
  BuildBudget budget({400}, 4, 8);
  EXPECT_EQ(budget.take(20).parallel_workers(), 0);
}

TEST(BuildBudget, TheTargetsConfigurationLimitsTheWorkers) {
  BuildBudget budget({800}, 8, 2);
  EXPECT_EQ(budget.take(0).parallel_workers(), 2);
}

TEST(BuildBudget, WhatIsGivenBackIsGivenOutAgain) {
  BuildBudget budget({400}, 4, 8);
  {
    const BuildBudget::Share share = budget.take(0);
    EXPECT_EQ(budget.take(0).parallel_workers(), 0) << "nothing is left";
  }
  EXPECT_EQ(budget.take(0).parallel_workers(), 3);
}

}  // namespace
}  // namespace pgsluice::index
