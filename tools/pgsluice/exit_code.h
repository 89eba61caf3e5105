#pragma once

#include "pgsluice/error.h"

namespace pgsluice::tools {

/// The command's exit codes; the numbers are pgcopydb's where it has them.
enum ExitCode : int {
  kExitSuccess = 0,
  kExitUsage = 1,
  kExitConfig = 2,
  kExitState = 3,
  kExitServer = 4,
  kExitSource = 6,
  kExitTarget = 7,
  kExitInternal = 12,
  kExitInvalid = 20,
  kExitDifferent = 21,
  kExitIncomplete = 22,
  kExitInterrupted = 130,
  kExitTerminated = 143,
};

/// For an error that ended the command, other than a cancellation.
ExitCode exit_code_for(const Error& error);

}  // namespace pgsluice::tools
