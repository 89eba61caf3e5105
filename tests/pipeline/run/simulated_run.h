#pragma once

#include <cstdint>
#include <memory>

#include "pipeline/plan/plan.h"

namespace pgsluice::test {

/// A database that exists as a plan's input only.
struct SimulatedDatabase {
  std::size_t tables = 10'000;
  /// The size of all tables together.
  std::int64_t bytes = 0;
  /// Sizes fall as a power of the table's rank: 0 for tables of one size, 1 for Zipf's law.
  double exponent = 1;
  /// Indexes of each table besides its primary key.
  int indexes = 2;
  /// One of so many tables refers to another one; 0: none does.
  int every_with_foreign_key = 4;
  bool all_refer_to_first = false;
};

/// The machine that the target runs on, and the jobs of the clone.
struct SimulatedMachine {
  int cores = 4;
  int table_jobs = 4;
  int index_jobs = 4;
  /// max_parallel_maintenance_workers
  int parallel_workers = 2;
  /// How much of a core's work each parallel worker of a build adds.
  double gain_of_worker = 0.8;
  /// How far a task's cost is from its estimate: its logarithm's standard deviation.
  double error = 0;
  std::uint32_t seed = 1;
};

/// In the unit of Task::cost.
struct SimulatedOutcome {
  double makespan = 0;
  /// A lower bound of the makespan in any order: the work of all tasks divided by the cores, or the longest chain of
  /// tasks that wait for one another, after all cores have carried its table's rows.
  double bound = 0;
  /// How long fewer than all cores were at work.
  double not_all_busy = 0;
};

std::unique_ptr<const pipeline::Plan> plan_of(const SimulatedDatabase& database, const SimulatedMachine& machine);

/// Carries a plan out by pipeline::simulate(), with costs that are off their estimates by the machine's error.
SimulatedOutcome simulate(const pipeline::Plan& plan, const SimulatedMachine& machine);

}  // namespace pgsluice::test
