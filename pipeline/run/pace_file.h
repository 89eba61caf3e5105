#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pgsluice/pace.h"
#include "pgsluice/progress.h"
#include "pipeline/run/pace_control.h"

namespace pgsluice::pipeline {

/// A run's end of change_pace() and read_pace(): takes requests out of its work folder, and writes there what has
/// become of the pace. A folder that cannot be written is a warning: then the pace stays as it is.
///
///     pace.request    what another process asks for; a second one waits until it is gone
///     pace.json       the pace in force, and the last requests that were answered
///
/// Lifecycle: its thread runs as long as the object, which the folder's lock outlives.
class PaceFile {
 public:
  /// `read`: the run's progress, for what else is told.
  PaceFile(std::filesystem::path folder, PaceControl& control, std::function<ProgressSnapshot()> read, Log log);
  PaceFile(const PaceFile&) = delete;
  PaceFile& operator=(const PaceFile&) = delete;
  ~PaceFile();

 private:
  void run();
  void look_for_request();
  void write_news();

  const std::filesystem::path folder_;
  PaceControl& control_;
  const std::function<ProgressSnapshot()> read_;
  const Log log_;
  /// The last requests, with why they were refused: empty if they were carried out.
  std::deque<std::pair<std::string, std::string>> answers_;
  std::string written_;
  bool has_warned_ = false;
  CancelSource stop_;
  std::thread thread_;
};

}  // namespace pgsluice::pipeline
