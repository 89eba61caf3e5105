#pragma once

#include <vector>

#include "pipeline/plan/plan.h"

namespace pgsluice::pipeline {

/// The machine that a simulated run has, and its jobs.
struct SimulatedJobs {
  int cores = 4;
  int table_jobs = 4;
  int index_jobs = 4;
  /// How much of a core's work each parallel worker of a build adds.
  double gain_of_worker = 0.8;
};

struct SimulatedTime {
  double makespan = 0;
  /// How long fewer than all cores were at work.
  double not_all_busy = 0;
};

/// Carries a plan out by Scheduler and index::BuildBudget in virtual time, without servers: as many workers as there
/// are jobs take tasks as Worker does, and share the cores. `costs` has what each task takes by itself on one core, in
/// any unit, which is that of the result too.
SimulatedTime simulate(const Plan& plan, const std::vector<double>& costs, const SimulatedJobs& jobs);

}  // namespace pgsluice::pipeline
