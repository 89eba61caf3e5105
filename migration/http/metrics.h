#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "migration/http/statistics.h"
#include "pgsluice/migration/migration.h"

namespace pgsluice::migration {

/// The metrics of a service or a worker.
struct MetricsInput {
  /// Migrations that are active or ended a while ago; the series of others are gone.
  std::vector<Migration> watched;
  /// All that a store holds; nullopt for a worker, which knows its own alone.
  std::optional<std::map<State, std::int64_t>> stored;
  HttpStatistics::Counts http;
};

/// In Prometheus's text format (version 0.0.4), with names by its conventions: base units, counters end in _total, and
/// a state is one series for each state that there is, of which one is 1.
std::string to_metrics(const MetricsInput& input);

}  // namespace pgsluice::migration
