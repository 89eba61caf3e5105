#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/duration.h"
#include "pgsluice/migration/migration.h"

namespace pgsluice::migration {

/// How much of a migration's work is done, from 0 to 1: copying, indexes, keys, statistics and the comparison of all
/// its databases, each weighed by its size on the source. 1 is said of one that has Succeeded only.
double fraction_done(const Migration& migration);

/// The kind of work that a migration does at the moment: "preparing", "validating", "copying", "indexing", "comparing",
/// "completing" or "canceling"; "ended". While several databases are copied at the same time: the first of "copying",
/// "indexing" and "comparing" that one of them is at.
std::string_view phase_of(const Migration& migration);

/// How long a migration will take from now on, from what it has done so far. Work of one kind goes faster than work of
/// another, so the estimate follows slowly. One thread.
class TimeLeft {
 public:
  /// To be called about once a second. nullopt until enough is done for an estimate.
  std::optional<std::chrono::seconds> update(double fraction, SteadyClock::time_point now);

 private:
  std::optional<SteadyClock::time_point> started_;
  double first_ = 0;
  std::optional<double> smoothed_;  ///< seconds from `updated_` on
  SteadyClock::time_point updated_;
};

}  // namespace pgsluice::migration
