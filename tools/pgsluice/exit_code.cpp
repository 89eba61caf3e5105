#include "tools/pgsluice/exit_code.h"

namespace pgsluice::tools {

ExitCode exit_code_for(const Error& error) {
  if (error.kind() == ErrorKind::kUsage) return kExitUsage;
  if (error.kind() == ErrorKind::kInternal) return kExitInternal;
  if (error.side() == Side::kSource) return kExitSource;
  if (error.side() == Side::kTarget) return kExitTarget;
  switch (error.kind()) {
    case ErrorKind::kConfig:
    case ErrorKind::kSystem:
      return kExitConfig;
    case ErrorKind::kState:
      return kExitState;
    case ErrorKind::kServer:
    case ErrorKind::kConnection:
    case ErrorKind::kMismatch:
      return kExitServer;
    case ErrorKind::kCancelled:
      return kExitInterrupted;
    default:
      return kExitInternal;
  }
}

}  // namespace pgsluice::tools
