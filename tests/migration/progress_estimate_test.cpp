#include "migration/progress_estimate.h"

#include <gtest/gtest.h>

namespace pgsluice::migration {
namespace {

constexpr Bytes kLarge{900'000'000};
constexpr Bytes kSmall{100'000'000};

TEST(FractionDone, WeighsDatabasesByTheirSizeFromTheBeginning) {
  Migration migration{.details = {{.name = "large", .size = kLarge}, {.name = "small", .size = kSmall}}};
  EXPECT_EQ(fraction_done(migration), 0);
  migration.details[1].state = DatabaseState::kSucceeded;
  EXPECT_NEAR(fraction_done(migration), 0.1, 0.001);
  migration.details[0].fraction = 0.5;
  EXPECT_NEAR(fraction_done(migration), 0.55, 0.001);
}

TEST(FractionDone, IsWholeForOneThatHasSucceededOnly) {
  Migration migration{.details = {{.name = "d", .size = kLarge, .fraction = 1}}};
  EXPECT_LT(fraction_done(migration), 1);
  migration.state = State::kSucceeded;
  EXPECT_EQ(fraction_done(migration), 1);
  EXPECT_EQ(fraction_done(Migration{}), 0);
}

TEST(PhaseOf, IsTheFirstKindOfWorkThatADatabaseIsAt) {
  Migration migration{.substate = Substate::kValidationInProgress};
  EXPECT_EQ(phase_of(migration), "validating");
  migration.substate = Substate::kMigratingData;
  migration.details = {{.name = "one", .operation = "Verifying"}, {.name = "two"}};
  EXPECT_EQ(phase_of(migration), "comparing");
  DatabaseDetails& second = migration.details[1];
  second.operation = "MigratingData";
  second.loading_tables = 1;
  second.queued_tables = 3;
  EXPECT_EQ(phase_of(migration), "copying");
  second.loading_tables = second.queued_tables = 0;
  second.completed_tables = 4;
  EXPECT_EQ(phase_of(migration), "indexing");
  second.state = DatabaseState::kFailed;
  migration.details[0].state = DatabaseState::kSucceeded;
  EXPECT_EQ(phase_of(migration), "preparing");
  migration.substate = Substate::kCompleted;
  EXPECT_EQ(phase_of(migration), "ended");
}

TEST(TimeLeft, IsToldWhenEnoughIsDoneAndFollowsSlowly) {
  TimeLeft left;
  const SteadyClock::time_point begin{};
  const auto at = [&](int seconds) { return begin + std::chrono::seconds(seconds); };
  EXPECT_FALSE(left.update(0, at(0)));
  EXPECT_FALSE(left.update(0.01, at(1)));
  const auto first = left.update(0.1, at(10));
  ASSERT_TRUE(first);
  EXPECT_NEAR(static_cast<double>(first->count()), 90, 2);
  // A plateau of ten seconds: no jump from 90 s to twice that.
  std::optional<std::chrono::seconds> now;
  for (int second = 11; second <= 20; ++second) now = left.update(0.1, at(second));
  ASSERT_TRUE(now);
  EXPECT_GT(now->count(), 80);
  EXPECT_LT(now->count(), 160);
}

TEST(TimeLeft, CountsOnlyWhatThisAttemptHasDone) {
  TimeLeft left;
  const SteadyClock::time_point begin{};
  EXPECT_FALSE(left.update(0.8, begin));
  EXPECT_FALSE(left.update(0.81, begin + std::chrono::seconds(10)));
  const auto now = left.update(0.9, begin + std::chrono::seconds(50));
  ASSERT_TRUE(now);
  EXPECT_NEAR(static_cast<double>(now->count()), 50, 2);
}

}  // namespace
}  // namespace pgsluice::migration
