#include "pgsluice/pipeline/clone.h"

#include <fmt/format.h>

#include <atomic>

#include "pgsluice/base/file_descriptor.h"
#include "pgsluice/pipeline/preflight.h"
#include "pgsluice/pipeline/run.h"
#include "pgsluice/pipeline/run_record.h"

namespace pgsluice::pipeline {

namespace {

void check_jobs(std::string_view option, int jobs) {
  constexpr int kMostJobs = 256;
  if (jobs >= 1 && jobs <= kMostJobs) return;
  throw Error(ErrorKind::kUsage, fmt::format("{} must be from 1 to {}, not {}", option, kMostJobs, jobs));
}

}  // namespace

struct Clone::Implementation {
  CloneOptions options;
  Log log;
  CancelSource cancel;

  explicit Implementation(const CancelToken& parent) : cancel(parent) {}

  Progress progress;
  std::atomic<bool> target_changed{false};
  std::unique_ptr<const Plan> plan;
};

Clone::Clone(CloneOptions options, LogSink& sink, const CancelToken& parent)
    : implementation_(new Implementation(parent)) {
  implementation_->options = std::move(options);
  implementation_->log = Log(sink);
}

Clone::~Clone() = default;

const Plan& Clone::plan() {
  Implementation& self = *implementation_;
  check_jobs("--table-jobs", self.options.table_jobs);
  check_jobs("--index-jobs", self.options.index_jobs);
  std::optional<Preflight> preflight =
      run_preflight(self.options, Intent::kPlan, self.progress, self.log, self.cancel.token());
  self.plan = preflight ? std::move(preflight->plan) : std::make_unique<const Plan>();
  return *self.plan;
}

CloneSummary Clone::run() {
  Implementation& self = *implementation_;
  check_jobs("--table-jobs", self.options.table_jobs);
  check_jobs("--index-jobs", self.options.index_jobs);
  const FileLock lock = lock_work_folder(self.options.work_folder);
  std::optional<Preflight> preflight =
      run_preflight(self.options, Intent::kRun, self.progress, self.log, self.cancel.token());
  if (self.options.on_begin) self.options.on_begin();
  if (!preflight) return self.progress.summary();
  return run_plan(std::move(*preflight), self.options, self.progress, self.target_changed, self.log, self.cancel);
}

ProgressSnapshot Clone::progress() const { return implementation_->progress.snapshot(); }

void Clone::cancel() noexcept { implementation_->cancel.cancel(); }

bool Clone::target_changed() const { return implementation_->target_changed.load(std::memory_order_relaxed); }

}  // namespace pgsluice::pipeline
