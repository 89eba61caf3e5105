#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "pgsluice/cancel.h"
#include "pipeline/progress/progress.h"
#include "tools/pgsluice/console.h"

namespace pgsluice::tools {

enum class ProgressStyle {
  kNone,
  kBar,    ///< one line, drawn over again
  kLines,  ///< a log line now and then
  kJson,   ///< a JSON document per line on standard error, each second
};

/// The values of --progress; "auto" is a bar on a terminal.
ProgressStyle progress_style(const std::string& given, const LogOptions& log);

/// The rate at which bytes arrive now: over the last ten seconds, since a mean of the whole run hides what goes on. One
/// thread.
class RateMeter {
 public:
  /// Takes a snapshot; the rate is up to it. Those of one run, in their order.
  void add(const pipeline::ProgressSnapshot& progress);
  /// Bytes a second; nullopt before two snapshots.
  std::optional<Bytes> rate() const;

 private:
  struct Point {
    std::chrono::nanoseconds at{};
    std::int64_t bytes = 0;
  };
  std::deque<Point> points_;
};

/// Shows how far a run is, from a thread of its own, until the object goes.
class ProgressDisplay {
 public:
  ProgressDisplay(Console& console, ProgressStyle style, std::function<pipeline::ProgressSnapshot()> read);
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  ~ProgressDisplay();

 private:
  void show();

  Console& console_;
  const ProgressStyle style_;
  const std::function<pipeline::ProgressSnapshot()> read_;
  RateMeter rate_;
  CancelSource stop_;
  std::thread thread_;
};

/// "[#####     ]  52%  3/12 tables  1.2 GB  80 MB/s  40 s left  public.orders", cut to a width. `rate`: bytes a second;
/// nullopt for the mean of the run.
std::string progress_bar(const pipeline::ProgressSnapshot& progress, std::optional<Bytes> rate, std::size_t width);

}  // namespace pgsluice::tools
