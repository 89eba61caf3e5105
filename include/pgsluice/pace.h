#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "pgsluice/bytes.h"
#include "pgsluice/cancel.h"

namespace pgsluice::pipeline {

/// How fast a copy may go: for a source that others work with, or a line that others use. Can be changed while it runs.
struct Pace {
  /// How much of rows and large objects crosses in a second, by all jobs together; 0: no limit.
  Bytes max_rate;
  /// How many sessions the source sees at most; 0: as many as the jobs take. At least kFewestSourceSessions, and one
  /// more for each of several databases at once. Lowered while it runs, it takes effect as tables and parts end.
  int max_source_sessions = 0;
  /// No row moves and nothing new begins; what a server is at work on (an index, a validation) comes to its end. All
  /// sessions stay, and so does the source's snapshot.
  bool paused = false;

  bool operator==(const Pace&) const = default;
};

/// One keeps the snapshot, one copies, and one reads definitions at first and what a stalled run waits for later.
inline constexpr int kFewestSourceSessions = 3;

/// For people: "paused; at most 50 MB a second; at most 5 sessions of the source", or "at full speed".
std::string describe(const Pace& pace);

/// Throws Error(kUsage) for a pace that cannot be meant.
void check_pace(const Pace& pace);

/// A change of a pace; what is not set stays as it is.
struct PaceChange {
  std::optional<Bytes> max_rate;
  std::optional<int> max_source_sessions;
  std::optional<bool> paused;

  bool operator==(const PaceChange&) const = default;
  /// The pace as this changes it.
  Pace of(Pace pace) const;
  /// This change and a later one, as one.
  PaceChange then(const PaceChange& later) const;
};

/// The pace of a run, as it is now.
struct CurrentPace {
  Pace pace;
  std::optional<std::chrono::nanoseconds> paused_for;
  /// How long the source's snapshot has been held, which keeps VACUUM there from its work; nullopt if none is.
  std::optional<std::chrono::nanoseconds> snapshot_age;
};

/// The pace of the run that another process has in a work folder. Throws Error(kState) where none is at work.
CurrentPace read_pace(const std::filesystem::path& work_folder);

/// Changes it, and returns when the run has taken it over. Throws Error(kUsage) for a pace that the run refuses,
/// Error(kState) where none is at work or it does not answer, Error(kCancelled).
CurrentPace change_pace(const std::filesystem::path& work_folder, const PaceChange& change,
                        const CancelToken& cancel = {});

}  // namespace pgsluice::pipeline
