// The order in which the scheduler hands out tasks, carried out in virtual time: how far from the shortest run
// possible.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/pipeline/run/simulated_run.h"

namespace pgsluice::test {
namespace {

constexpr std::int64_t kGigabyte = 1LL << 30;

SimulatedOutcome run(const SimulatedDatabase& database, const SimulatedMachine& machine) {
  return simulate(*plan_of(database, machine), machine);
}

// build/release/bin/simulated_runs prints more of them, and larger ones.
TEST(Simulation, EndsWithinATenthOfTheShortestRunPossible) {
  for (const double exponent : {0.6, 1.5}) {
    for (const int cores : {2, 8, 64}) {
      const SimulatedDatabase database{.tables = 4'000, .bytes = 2000 * kGigabyte, .exponent = exponent};
      const SimulatedMachine machine{.cores = cores, .table_jobs = cores, .index_jobs = cores};
      const SimulatedOutcome outcome = run(database, machine);
      EXPECT_LE(outcome.makespan, 1.1 * outcome.bound) << cores << " cores, exponent " << exponent;
    }
  }
}

// The last builds get the places that no other build wants, as parallel workers.
TEST(Simulation, OneTableWithManyIndexesDoesNotEndWithOneBuildWhileOthersIdle) {
  for (const int indexes : {11, 12, 13, 14}) {
    const SimulatedMachine machine{.cores = 4, .parallel_workers = 3};
    const SimulatedOutcome outcome =
        run({.tables = 1, .bytes = 10 * kGigabyte, .indexes = indexes, .every_with_foreign_key = 0}, machine);
    EXPECT_LE(outcome.makespan, 1.15 * outcome.bound) << indexes << " indexes";
  }
}

// Star-shaped keys: thousands of tables refer to one.
TEST(Simulation, ManyKeysToOneTableHoldNothingUp) {
  const SimulatedMachine machine{.cores = 8, .table_jobs = 8, .index_jobs = 8};
  const SimulatedOutcome outcome = run({.tables = 5000,
                                        .bytes = 100 * kGigabyte,
                                        .exponent = 0,
                                        .every_with_foreign_key = 1,
                                        .all_refer_to_first = true},
                                       machine);
  EXPECT_LE(outcome.makespan, 1.1 * outcome.bound);
}

}  // namespace
}  // namespace pgsluice::test
