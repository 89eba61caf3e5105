#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pgsluice/options.h"
#include "pgsluice/plan.h"
#include "pgsluice/progress.h"
#include "pgsluice/summary.h"

namespace pgsluice::pipeline {

struct RunEnvironment;

/// Clones one database into another, existing and empty one.
///
/// Lifecycle: made, then one call of plan(), plan_and_estimate() or run(). Threads: run() starts its own and has joined
/// them when it returns or throws; progress() and cancel() may be called from any thread meanwhile, cancel() also from
/// a signal handler. Nothing is printed and no signal handler installed; messages go to the sink, which outlives the
/// object.
class Clone {
 public:
  /// The clone is cancelled with `parent` too. Throws Error(kUsage) for a pace that cannot be meant.
  Clone(CloneOptions options, LogSink& sink, const CancelToken& parent = {});
  /// A clone that shares its jobs with others of this process.
  Clone(CloneOptions options, LogSink& sink, const CancelToken& parent, RunEnvironment environment);
  Clone(const Clone&) = delete;
  Clone& operator=(const Clone&) = delete;
  ~Clone();

  /// Reads both servers and says what run() would do. Changes nothing on either.
  /// Throws Error: all that would keep run() from beginning.
  ClonePlan plan();

  /// plan(), and what the run would take: for about so long, as many streams as there are table jobs copy rows of the
  /// largest tables to the target and build an index on them, in transactions that are rolled back. Kept in the work
  /// folder: the run compares itself with it (CloneSummary::expected). Without an estimate where rows come from an
  /// archive, and, with a warning, where the target's user may not even make temporary tables. Throws Error like
  /// plan().
  ClonePlan plan_and_estimate(std::chrono::milliseconds sample_for);

  /// Clones. Objects that could not be made are in the summary (complete() is false), unless the options say to stop
  /// at the first. Throws Error if the clone could not start or could not continue: a lost connection, a cancellation.
  CloneSummary run();

  ProgressSnapshot progress() const;
  void cancel() noexcept;
  /// Changes how fast it goes, from now on; any thread, before run() too. Other processes do so by change_pace() with
  /// the work folder. Throws Error(kUsage) for a pace that cannot be meant.
  void set_pace(const Pace& pace);

  /// True if the target has been changed, so that a failed clone has left something behind there.
  bool target_changed() const;
  /// How many roles were made on the target before anything else. Any thread.
  std::size_t roles_made() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace pgsluice::pipeline
