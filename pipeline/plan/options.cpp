#include "pipeline/plan/options.h"

#include <fmt/format.h>

#include "pgsluice/error.h"

namespace pgsluice::pipeline {

void check_jobs(std::string_view what, int jobs) {
  if (jobs >= 1 && jobs <= kMaxJobs) return;
  throw Error(ErrorKind::kUsage, fmt::format("the number of {} must be from 1 to {}, not {}", what, kMaxJobs, jobs));
}

}  // namespace pgsluice::pipeline
