#include "pgsluice/clone.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <atomic>

#include "base/counted.h"
#include "base/duration.h"
#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "base/threads.h"
#include "pg/quote.h"
#include "pgsluice/data_comparison.h"
#include "pipeline/compare/verification.h"
#include "pipeline/estimate/estimation.h"
#include "pipeline/estimate/samples.h"
#include "pipeline/plan/describe_plan.h"
#include "pipeline/plan/options.h"
#include "pipeline/plan/tasks_done.h"
#include "pipeline/prepare/preflight.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/prepare/sessions.h"
#include "pipeline/run/pace_file.h"
#include "pipeline/run/run.h"
#include "pipeline/run/run_environment.h"

namespace pgsluice::pipeline {

namespace {

/// Tells the progress, whatever ends a run, that its snapshot is not held any more.
class SnapshotEnd {
 public:
  explicit SnapshotEnd(Progress& progress) : progress_(progress) {}
  SnapshotEnd(const SnapshotEnd&) = delete;
  SnapshotEnd& operator=(const SnapshotEnd&) = delete;
  ~SnapshotEnd() { progress_.release_snapshot(); }

 private:
  Progress& progress_;
};

}  // namespace

struct Clone::Implementation {
  CloneOptions options;
  LogSink* sink = nullptr;
  Log log;
  CancelSource cancel;

  explicit Implementation(const CancelToken& parent) : cancel(parent) {}

  Progress progress;
  std::atomic<bool> target_changed{false};
  RunEnvironment environment;
  std::optional<PaceControl> own_pace;

  CloneSummary verify_what_was_done(const ResolvedOptions& resolved, const std::set<std::string>& copied);
  CloneSummary verify_what_was_restored(const Preflight& preflight);
};

// Verifies an earlier run that has restored an archive: the target's rows are read back.
CloneSummary Clone::Implementation::verify_what_was_restored(const Preflight& preflight) {
  log.info(fmt::format("{} of the target are read back and compared with the archive",
                       counted(preflight.restored.size(), "table")));
  const CancelToken token = cancel.token();
  Mutex mutex;
  std::vector<FailedObject> failed;
  std::atomic<std::size_t> next{0};
  std::atomic<std::int64_t> bytes{0};
  const auto verify = [&](int number) {
    try {
      pg::Connection target = open_session(preflight.target.pinned_conninfo(), fmt::format("verify {}", number),
                                           preflight.encoding, log, token);
      for (std::size_t at = next++; at < preflight.restored.size(); at = next++) {
        const RestoredTable& restored = preflight.restored[at];
        try {
          verify_table(target, restored.table, copy::CopyFormat::kText, restored.rows, bytes);
        } catch (const Error& error) {
          if (error.kind() != ErrorKind::kMismatch) throw;
          const MutexLock lock(mutex);
          failed.push_back({"table " + restored.table.display(), error});
        }
      }
    } catch (const Error& error) {
      const MutexLock lock(mutex);
      failed.push_back({"verification", error});
      next = preflight.restored.size();
    }
  };
  if (!preflight.restored.empty()) {
    run_in_threads(std::min(preflight.options.table_jobs, static_cast<int>(preflight.restored.size())), verify);
  }
  for (const FailedObject& object : failed) {
    if (object.error.kind() != ErrorKind::kMismatch) throw Error(object.error);
  }
  CloneSummary summary = progress.summary();
  summary.failed.insert(summary.failed.end(), failed.begin(), failed.end());
  return summary;
}

// Verifies an earlier run, which has ended: no sums of what it has sent are left, so both databases are read.
CloneSummary Clone::Implementation::verify_what_was_done(const ResolvedOptions& resolved,
                                                         const std::set<std::string>& copied) {
  log.info("both databases are compared, row by row");
  DataComparison comparison({.source = resolved.source,
                             .target = resolved.target,
                             .database = resolved.database,
                             .jobs = copying_at_once(environment.pace->pace(), resolved.table_jobs, 1),
                             .split = resolved.split},
                            *sink, cancel.token());
  const PaceControl::Follower following(*environment.pace, [&](const Pace& pace) { comparison.set_pace(pace); });
  const ComparedData compared = comparison.run();
  CloneSummary summary = progress.summary();
  const auto differs = [&](const std::string& name, const std::string& what) {
    summary.failed.push_back({name, Error(ErrorKind::kMismatch, what).object(name)});
  };
  for (const ComparedTable& table : compared.tables) {
    const std::string name = pg::display_name(table.schema, table.name);
    if (!table.differs() || !copied.contains(name)) continue;
    const std::string what = !table.on_target         ? "it is missing on the target"
                             : !table.trouble.empty() ? table.trouble
                                                      : "source and target differ";
    differs("table " + name, what);
  }
  // Left out sequences are not told from those that are missing.
  if (resolved.filters.empty()) {
    for (const std::string& difference : compared.sequences) differs("sequences", difference);
  }
  // One failure, whatever is named of it.
  if (resolved.large_objects && !compared.large_objects.empty()) {
    differs("large objects", fmt::format("{}", fmt::join(compared.large_objects, "; ")));
  }
  return summary;
}

Clone::Clone(CloneOptions options, LogSink& sink, const CancelToken& parent)
    : Clone(std::move(options), sink, parent, RunEnvironment()) {}

Clone::Clone(CloneOptions options, LogSink& sink, const CancelToken& parent, RunEnvironment environment)
    : implementation_(new Implementation(parent)) {
  implementation_->environment = std::move(environment);
  if (implementation_->environment.pace == nullptr)
    implementation_->environment.pace = &implementation_->own_pace.emplace(options.pace);
  implementation_->options = std::move(options);
  implementation_->sink = &sink;
  implementation_->log = Log(sink);
}

Clone::~Clone() = default;

ClonePlan Clone::plan() {
  Implementation& self = *implementation_;
  check_jobs("table jobs", self.options.table_jobs);
  check_jobs("index jobs", self.options.index_jobs);
  const Preflight preflight = run_preflight(self.options, Intent::kPlan, self.progress, self.log, self.cancel.token());
  return preflight.plan ? describe_plan(*preflight.plan) : ClonePlan();
}

ClonePlan Clone::plan_and_estimate(std::chrono::milliseconds sample_for) {
  Implementation& self = *implementation_;
  check_jobs("table jobs", self.options.table_jobs);
  check_jobs("index jobs", self.options.index_jobs);
  const auto begin = SteadyClock::now();
  Preflight preflight = run_preflight(self.options, Intent::kPlan, self.progress, self.log, self.cancel.token());
  if (!preflight.plan) return {};
  const auto preparation = SteadyClock::now() - begin;
  ClonePlan result = describe_plan(*preflight.plan);
  if (!preflight.holder) return result;
  try {
    PaceControl& pace = *self.environment.pace;
    const Samples samples = take_samples(preflight, sample_for, pace, self.log, self.cancel.token());
    EstimateContext context{.preparation = preparation, .pace = pace.pace()};
    if (preflight.continuation) {
      for (const auto& [task, loaded] : tasks_done(*preflight.plan, preflight.continuation->ledger)) {
        context.done.insert(task);
      }
    }
    result.estimate = estimate(*preflight.plan, samples, context);
    if (preflight.continuation) return result;
    make_work_folder(preflight.options.work_folder);
    RunFolder(preflight.options.work_folder)
        .keep_expected_time(databases_mark(preflight.record.mark, preflight.target), result.estimate->time);
  } catch (const Error& error) {
    // The plan is there in any case.
    if (error.kind() == ErrorKind::kCancelled) throw;
    result.warnings.push_back(fmt::format(
        "{}: {}",
        result.estimate ? "the run will not compare itself with this estimate" : "there is no estimate of the time",
        error.describe()));
  }
  return result;
}

CloneSummary Clone::run() {
  Implementation& self = *implementation_;
  check_jobs("table jobs", self.options.table_jobs);
  check_jobs("index jobs", self.options.index_jobs);
  const FileLock lock = lock_work_folder(self.options.work_folder);
  std::optional<PaceFile> pace_file;
  if (self.own_pace) {
    pace_file.emplace(
        self.options.work_folder, *self.own_pace, [this] { return progress(); }, self.log);
  }
  self.environment.pace->wait_while_paused(self.cancel.token());
  const SnapshotEnd snapshot_end(self.progress);
  Preflight preflight = run_preflight(self.options, Intent::kRun, self.progress, self.log, self.cancel.token());
  if (self.environment.on_begin) self.environment.on_begin();
  if (!preflight.plan) {
    if (!preflight.options.verify) return self.progress.summary();
    return preflight.archive ? self.verify_what_was_restored(preflight)
                             : self.verify_what_was_done(preflight.options, preflight.copied);
  }
  std::optional<ExpectedTime> expected;
  if (!preflight.continuation) {
    expected =
        RunFolder(preflight.options.work_folder).expected_time(databases_mark(preflight.record.mark, preflight.target));
  }
  CloneSummary summary =
      run_plan(std::move(preflight), self.environment, self.progress, self.target_changed, self.log, self.cancel);
  summary.expected = expected;
  return summary;
}

ProgressSnapshot Clone::progress() const {
  ProgressSnapshot now = implementation_->progress.snapshot();
  now.pace = implementation_->environment.pace->pace();
  now.paused_for = implementation_->environment.pace->paused_for();
  return now;
}

void Clone::set_pace(const Pace& pace) { implementation_->environment.pace->set(pace); }

void Clone::cancel() noexcept { implementation_->cancel.cancel(); }

std::size_t Clone::roles_made() const { return implementation_->progress.roles_made(); }

bool Clone::target_changed() const { return implementation_->target_changed.load(std::memory_order_relaxed); }

}  // namespace pgsluice::pipeline
