#pragma once

#include <cstdint>

#include "base/subprocess.h"

namespace pgsluice::test {

struct MeasuredRun {
  SubprocessResult result;
  std::int64_t peak_kilobytes = 0;  ///< most memory that the process itself had at once, without its children's
};

/// Runs a command to its end and asks the kernel meanwhile (VmHWM of /proc).
MeasuredRun run_measured(SubprocessOptions options);

}  // namespace pgsluice::test
