#pragma once

#include <string_view>

#include "pgsluice/options.h"

namespace pgsluice::pipeline {

/// The options of a run after preparation: filters, for example, may be those of the command that began the copy. Read
/// by everything that plans and runs; made from CloneOptions by the functions that take these.
struct ResolvedOptions : Endpoints, WhatToCopy, HowToCopy, Continuing {
  ResolvedOptions() = default;
  explicit ResolvedOptions(const CloneOptions& given)
      : Endpoints(given), WhatToCopy(given), HowToCopy(given), Continuing(given) {}
};

/// The largest number of jobs of a kind.
inline constexpr int kMaxJobs = 256;

/// Throws Error(kUsage) for a number of jobs that cannot be meant; `what` they are: "table jobs".
void check_jobs(std::string_view what, int jobs);

}  // namespace pgsluice::pipeline
