// In virtual time: how far the scheduler's order is from the shortest run possible, and how long large databases take.
#include <fmt/format.h>

#include <array>

#include "base/duration.h"
#include "pipeline/estimate/estimation.h"
#include "tests/pipeline/run/simulated_run.h"

namespace {

using pgsluice::test::SimulatedDatabase;
using pgsluice::test::SimulatedMachine;

void print_order() {
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

// As `clone --dry-run` estimates, at the rates of one core of each server in the data set bulk (docs/performance.md).
void print_estimates() {
  constexpr double kCopied = 47e6;
  constexpr double kBuilt = 145e6;
  constexpr std::array kJobs = {2, 4, 8, 16};
  pgsluice::pipeline::StreamSample stream{.table = "t", .rows = 1'000'000, .payload = {84'000'000}};
  stream.stored = stream.heap = {125'000'000};
  stream.copying = std::chrono::duration<double>(static_cast<double>(stream.stored.count) / kCopied);
  stream.building = std::chrono::duration<double>(static_cast<double>(stream.stored.count) / kBuilt);
  fmt::print("\nExpected time; 1,000 tables by Zipf's law, 2 indexes and a primary key each.\n");
  fmt::print("{:>8} |", "rows");
  for (const int jobs : kJobs) fmt::print("{:>17} ", jobs);
  fmt::print("jobs of each kind\n");
  for (const std::int64_t gigabytes : {100, 2000}) {
    fmt::print("{:>5} GB |", gigabytes);
    for (const int jobs : kJobs) {
      const SimulatedDatabase database{.tables = 1000, .bytes = gigabytes << 30U, .every_with_foreign_key = 0};
      const SimulatedMachine machine{.cores = jobs, .table_jobs = jobs, .index_jobs = jobs};
      const pgsluice::pipeline::Samples samples{.streams = {stream}, .definition = std::chrono::microseconds(300)};
      const auto time = estimate(*plan_of(database, machine), samples, {.preparation = std::chrono::seconds(5)}).time;
      fmt::print("{:>8} - {:<7}", pgsluice::format_duration(time.least), pgsluice::format_duration(time.most));
    }
    fmt::print("\n");
  }
}

}  // namespace

int main() {
  print_order();
  print_estimates();
}
