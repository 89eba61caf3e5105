#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pgsluice/bytes.h"
#include "pgsluice/error.h"
#include "pgsluice/estimate.h"

namespace pgsluice::pipeline {

struct TableResult {
  std::string name;
  std::int64_t rows = 0;
  Bytes bytes;    ///< of the COPY stream
  int parts = 0;  ///< that have arrived
  std::string format;
  std::chrono::nanoseconds duration{};
};

/// All tasks of a kind together.
struct StepResult {
  std::string id;     ///< id_of(TaskKind)
  std::string label;  ///< for people
  std::int64_t tasks = 0;
  std::chrono::nanoseconds wall{};   ///< from the first one's begin to the last one's end
  std::chrono::nanoseconds total{};  ///< added up over all workers
};

/// A part of the preparation, before the first task.
struct PhaseResult {
  std::string name;  ///< as ProgressSnapshot::phase has it: "reading the definitions"
  std::chrono::steady_clock::time_point begin;
  std::chrono::nanoseconds duration{};
};

struct FailedObject {
  std::string name;
  Error error;
};

struct LeftOutObject {
  std::string name;
  std::string because_of;
};

/// The results of a clone.
struct CloneSummary {
  std::vector<TableResult> tables;
  std::vector<PhaseResult> preparation;
  std::vector<StepResult> steps;
  std::int64_t large_objects = 0;
  std::int64_t sequences = 0;
  std::int64_t rows = 0;
  Bytes bytes;
  std::chrono::nanoseconds duration{};
  /// The time that Clone::plan_and_estimate() told before; nullopt where it was not called with this work folder.
  std::optional<ExpectedTime> expected = std::nullopt;

  std::vector<FailedObject> failed;     ///< asked for, and not there
  std::vector<LeftOutObject> left_out;  ///< not tried, since something that they need has failed
  std::vector<std::string> skipped;     ///< left away by an option, by the target's rules, or invalid on the source
  std::vector<std::string> warnings;    ///< to be read, nothing is missing

  bool complete() const { return failed.empty() && left_out.empty(); }
};

}  // namespace pgsluice::pipeline
