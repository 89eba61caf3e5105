#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pgsluice/bytes.h"
#include "pgsluice/pace.h"

namespace pgsluice::pipeline {

/// A moment of a run, for display.
struct ProgressSnapshot {
  struct Running {
    std::string name;
    Bytes copied;  ///< 0 for what is not table data
    std::chrono::nanoseconds since{};
  };
  std::string phase;  ///< "connecting", "reading the definitions", "running", …
  std::chrono::nanoseconds elapsed{};
  std::size_t tables_done = 0;
  std::size_t tables_total = 0;
  std::size_t tasks_done = 0;
  std::size_t tasks_total = 0;
  std::size_t tables_running = 0;
  std::int64_t rows = 0;  ///< of parts that have arrived
  Bytes copied;           ///< of the COPY streams so far
  Bytes copied_before;    ///< of these, what an earlier run has
  Bytes pending;          ///< of tables on the source's disk: what is left of them, estimated
  double fraction = 0;    ///< of the work as it was estimated, 0 to 1
  std::vector<Running> running;
  /// How long it takes from now on, where that is known better than by the fraction.
  std::optional<std::chrono::seconds> left = std::nullopt;
  Pace pace;
  /// Set while it is paused.
  std::optional<std::chrono::nanoseconds> paused_for = std::nullopt;
  /// How long the source's snapshot has been held; nullopt if none is. Of several databases the oldest.
  std::optional<std::chrono::nanoseconds> snapshot_age = std::nullopt;
};

}  // namespace pgsluice::pipeline
