#pragma once

#include <functional>
#include <string>

#include "pgsluice/cancel.h"
#include "pgsluice/data_comparison.h"
#include "pgsluice/log.h"
#include "pgsluice/migration/properties.h"

namespace pgsluice::migration {

struct Verification {
  bool equal = false;
  /// "equal", or what differs, for people.
  std::string text;
};

/// True if definitions are compared, too: nothing of them is left out.
bool compares_definitions(const pipeline::CloneOptions& engine);

/// Gets the comparison of rows while it runs, for its progress and its pace, and nullptr before it goes.
using WatchComparison = std::function<void(pipeline::DataComparison*)>;

/// Compares a migrated database with its source: definitions (unless the engine's options leave some out), rows,
/// sequences, large objects. What was written to the source since is a difference too. Throws Error when a server
/// cannot be read, Error(kCancelled).
Verification verify_database(const Request& request, const std::string& database, LogSink& sink,
                             const CancelToken& cancel, const WatchComparison& watch = {});

}  // namespace pgsluice::migration
