#pragma once

#include <cstdint>

#include "base/subprocess.h"

namespace pgsluice::test {

/// False where a sanitizer takes several times the memory of the program itself, so that there is nothing to measure.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kMemoryIsItsOwn = false;
#else
inline constexpr bool kMemoryIsItsOwn = true;
#endif

struct MeasuredRun {
  SubprocessResult result;
  std::int64_t peak_kilobytes = 0;  ///< most memory that the process itself had at once, without its children's
};

/// Runs a command to its end and asks the kernel meanwhile (VmHWM of /proc).
MeasuredRun run_measured(SubprocessOptions options);

}  // namespace pgsluice::test
