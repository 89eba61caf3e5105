#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "pgsluice/cancel.h"
#include "pgsluice/error.h"
#include "pgsluice/log.h"

namespace pgsluice::pipeline {

struct PingOptions {
  /// Connection strings, URI or keyword form.
  std::string source;
  std::string target;
  /// How long a server that does not answer is tried again.
  std::chrono::seconds limit{60};
};

/// Why a server could not be reached in the end; nullopt if it has answered.
struct PingResult {
  std::optional<Error> source;
  std::optional<Error> target;
};

/// Connects to both servers at once, and again while they start, restart or are full. A refusal that another try would
/// meet again (a password, a database that is not there) ends it at once. Which server has answered goes to the log.
/// Throws Error(kUsage, kConfig) for a connection string that cannot be read, Error(kCancelled).
PingResult ping(const PingOptions& options, const Log& log, const CancelToken& cancel);

}  // namespace pgsluice::pipeline
