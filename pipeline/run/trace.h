#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/duration.h"
#include "base/mutex.h"

namespace pgsluice::pipeline {

/// Something that a worker did, or waited for.
struct TraceSpan {
  std::string worker;  ///< "copy 1"
  std::string name;
  std::string category;  ///< the kind of task
  SteadyClock::time_point begin;
  SteadyClock::time_point end;
  /// The task whose end has let this one begin; empty: it could begin at once.
  std::string waited_for = {};
  std::int64_t bytes = 0;
  std::int64_t rows = 0;
};

/// A record of what every worker did when, in memory until the run's end. Any thread. About 200 bytes a task.
class Trace {
 public:
  void add(TraceSpan span);
  /// In Chrome's trace event format, which https://ui.perfetto.dev and chrome://tracing read: a line for each worker.
  /// Throws Error(kSystem) when the file cannot be written.
  void write(const std::filesystem::path& file) const;

 private:
  mutable Mutex mutex_;
  std::vector<TraceSpan> spans_ GUARDED_BY(mutex_);
};

}  // namespace pgsluice::pipeline
