#pragma once

#include <string>

#include "pgsluice/base/cancel.h"
#include "pgsluice/base/log.h"
#include "pgsluice/migration/properties.h"

namespace pgsluice::migration {

struct Verification {
  bool equal = false;
  /// "equal", or what differs, for people.
  std::string text;
};

/// Whether definitions are compared, too: nothing of them is left out.
bool compares_definitions(const pipeline::CloneOptions& engine);

/// Compares a migrated database with its source: definitions (unless the engine's options leave some out), rows,
/// sequences, large objects. What was written to the source since is a difference too. Throws Error when a server
/// cannot be read, Error(kCancelled).
Verification verify_database(const Request& request, const std::string& database, LogSink& sink,
                             const CancelToken& cancel);

}  // namespace pgsluice::migration
