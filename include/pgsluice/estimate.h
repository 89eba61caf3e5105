#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "pgsluice/bytes.h"

namespace pgsluice::pipeline {

/// A range of durations.
struct ExpectedTime {
  std::chrono::seconds least{};  ///< rows and indexes do not get in each other's way
  std::chrono::seconds most{};   ///< they share all that they need, so that one waits for the other
};

/// Expectations of a clone (Clone::plan_and_estimate()). Made from a sample of both servers, so it holds for
/// the load that they had then.
struct Estimate {
  ExpectedTime time;
  Bytes network;  ///< of all rows on the line, from the source and again to the target
  Bytes disk;     ///< of tables and indexes on the target, without the free space that the source's have
  Bytes log;      ///< that the target writes (WAL), at most

  Bytes sampled;            ///< of the rows that were copied for it, on the target's disk
  double share = 0;         ///< of all rows that these are, from 0 to 1
  Bytes copied_per_second;  ///< by all streams together, as `sampled` counts
  Bytes built_per_second;   ///< of tables' rows, by one build of an index; 0 if none was measured
  /// For people: what was measured, what was assumed, and what may make it wrong.
  std::vector<std::string> notes;
};

}  // namespace pgsluice::pipeline
