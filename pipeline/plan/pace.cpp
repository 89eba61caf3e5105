#include "pgsluice/pace.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "pgsluice/error.h"

namespace pgsluice::pipeline {

std::string describe(const Pace& pace) {
  std::vector<std::string> parts;
  if (pace.paused) parts.emplace_back("paused");
  if (pace.max_rate.count > 0) parts.push_back(fmt::format("at most {} a second", to_string(pace.max_rate)));
  if (pace.max_source_sessions > 0) {
    parts.push_back(fmt::format("at most {} sessions of the source", pace.max_source_sessions));
  }
  return parts.empty() ? "at full speed" : fmt::format("{}", fmt::join(parts, "; "));
}

void check_pace(const Pace& pace) {
  if (pace.max_rate.count < 0) throw Error(ErrorKind::kUsage, "a rate cannot be below 0");
  const int sessions = pace.max_source_sessions;
  if (sessions == 0 || sessions >= kFewestSourceSessions) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("{} sessions of the source are too few: a copy takes {} at least, one for the snapshot, one "
                          "for rows, one for definitions",
                          sessions, kFewestSourceSessions));
}

Pace PaceChange::of(Pace pace) const {
  pace.max_rate = max_rate.value_or(pace.max_rate);
  pace.max_source_sessions = max_source_sessions.value_or(pace.max_source_sessions);
  pace.paused = paused.value_or(pace.paused);
  return pace;
}

PaceChange PaceChange::then(const PaceChange& later) const {
  PaceChange both = later;
  if (!both.max_rate) both.max_rate = max_rate;
  if (!both.max_source_sessions) both.max_source_sessions = max_source_sessions;
  if (!both.paused) both.paused = paused;
  return both;
}

}  // namespace pgsluice::pipeline
