// How far the scheduler's order is from the shortest run possible, in virtual time: a line for each database and
// machine.
#include <fmt/format.h>

#include "tests/pipeline/run/simulated_run.h"

int main() {
  using pgsluice::test::SimulatedDatabase;
  using pgsluice::test::SimulatedMachine;
  constexpr int kIndexes = 4;
  fmt::print("Makespan over its bound; 10,000 tables of 2 TB, {} indexes and a primary key each.\n", kIndexes);
  fmt::print("Sizes fall as 1 / rank^exponent; costs are known (0) or off by a factor (deviation of the logarithm).\n");
  fmt::print("{:>8} {:>6} |{:>7}{:>7}{:>7}{:>7}{:>7}{:>7} cores\n", "exponent", "error", 2, 4, 8, 16, 32, 64);
  for (const double error : {0.0, 0.5}) {
    for (const double exponent : {0.0, 0.6, 1.0, 1.5}) {
      fmt::print("{:>8} {:>6} |", exponent, error);
      for (const int cores : {2, 4, 8, 16, 32, 64}) {
        const SimulatedDatabase database{.bytes = 2LL << 40U, .exponent = exponent, .indexes = kIndexes};
        const SimulatedMachine machine{.cores = cores, .table_jobs = cores, .index_jobs = cores, .error = error};
        const auto outcome = simulate(*plan_of(database, machine), machine);
        fmt::print("{:>7.2f}", outcome.makespan / outcome.bound);
      }
      fmt::print("\n");
    }
  }
}
