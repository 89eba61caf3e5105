#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/duration.h"
#include "base/mutex.h"
#include "pipeline/plan/plan.h"
#include "pipeline/plan/task_graph.h"
#include "pipeline/progress/summary.h"

namespace pgsluice::pipeline {

/// A moment of a run, for display.
struct ProgressSnapshot {
  struct Running {
    std::string name;
    Bytes copied;  ///< 0 for what is not table data
    std::chrono::nanoseconds since{};
  };
  std::string phase;  ///< "connecting", "reading the definitions", "running", …
  std::chrono::nanoseconds elapsed{};
  std::size_t tables_done = 0;
  std::size_t tables_total = 0;
  std::size_t tasks_done = 0;
  std::size_t tasks_total = 0;
  std::size_t tables_running = 0;
  std::int64_t rows = 0;  ///< of parts that have arrived
  Bytes copied;           ///< of the COPY streams so far
  Bytes copied_before;    ///< of these, what an earlier run has
  Bytes pending;          ///< of tables on the source's disk: what is left of them, estimated
  double fraction = 0;    ///< of the work as it was estimated, 0 to 1
  std::vector<Running> running;
  /// How long it takes from now on, where that is known better than by the fraction.
  std::optional<std::chrono::seconds> left = std::nullopt;
};

/// Counts what the workers do. Workers and readers on any thread.
class Progress {
 public:
  Progress() : started_(SteadyClock::now()) {}

  void enter_phase(std::string_view phase);
  /// The tasks that there will be, with their costs. When a run goes on after a lost connection, the count begins anew.
  void set_work(const TaskGraph& graph);
  /// A task that was done before the run has gone on.
  void add_done(const Task& task, const copy::LoadedRows& loaded);

  /// A task that is being carried out, until the object goes; a failed one counts as done too.
  class Running {
   public:
    Running(Progress& progress, const Task& task) : Running(progress, std::vector{&task}) {}
    /// Several of one kind that are carried out together.
    Running(Progress& progress, std::vector<const Task*> tasks);
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running();

    std::atomic<std::int64_t>& bytes(std::size_t task = 0) { return entry_->bytes[task]; }
    /// It was not finished and will be begun anew: it does not count as done when the object goes.
    void will_retry() { entry_->will_retry = true; }
    std::chrono::nanoseconds elapsed() const { return SteadyClock::now() - entry_->begin; }

   private:
    friend class Progress;
    struct Entry {
      explicit Entry(std::vector<const Task*> of)
          : tasks(std::move(of)), begin(SteadyClock::now()), bytes(tasks.size()) {}
      Bytes copied() const;
      double cost() const;

      const std::vector<const Task*> tasks;
      const SteadyClock::time_point begin;
      std::vector<std::atomic<std::int64_t>> bytes;
      bool will_retry = false;
    };
    Progress& progress_;
    std::list<Entry>::iterator entry_;
  };

  /// Rows of a table, or of a part of it.
  void add_rows(const TablePlan& table, const copy::LoadedRows& loaded, std::chrono::nanoseconds duration);
  void add_skipped(std::string text);
  void add_warning(std::string text);
  /// An object that is there, but not as it should be.
  void add_failed(FailedObject object);
  void add_roles_made(std::size_t count) { roles_made_ += count; }
  std::size_t roles_made() const { return roles_made_; }
  void set_large_objects(std::int64_t count);
  void set_sequences(std::int64_t count);

  /// What happens to tasks is remembered for take_events() from now on, or not any more.
  void record_events(bool wanted);
  struct Event {
    enum class Kind { kBegan, kEnded, kWillRetry };
    Kind kind = Kind::kBegan;
    const Task* task = nullptr;
    SteadyClock::time_point at;
  };
  /// Returns the events since the last call, in their order.
  std::vector<Event> take_events();

  ProgressSnapshot snapshot() const;
  /// Tables by name, steps in their order, totals; without failures.
  CloneSummary summary() const;

 private:
  struct Step {
    SteadyClock::time_point first_begin;
    SteadyClock::time_point last_end;
    std::chrono::nanoseconds total{};
    std::int64_t tasks = 0;
  };

  void end(const Running::Entry& entry) REQUIRES(mutex_);
  void count_done(const Task& task) REQUIRES(mutex_);
  void note(Event::Kind kind, const Task& task) REQUIRES(mutex_);

  const SteadyClock::time_point started_;
  mutable Mutex mutex_;
  std::string phase_ GUARDED_BY(mutex_);
  std::list<Running::Entry> running_ GUARDED_BY(mutex_);
  std::map<TaskKind, Step> steps_ GUARDED_BY(mutex_);
  CloneSummary results_ GUARDED_BY(mutex_);
  std::map<const TablePlan*, TableResult> tables_ GUARDED_BY(mutex_);
  struct PartsLeft {
    std::size_t count = 0;
    Bytes each;  ///< of the table on disk
  };
  std::map<const TablePlan*, PartsLeft> parts_left_ GUARDED_BY(mutex_);
  Bytes pending_ GUARDED_BY(mutex_);
  std::size_t tables_done_ GUARDED_BY(mutex_) = 0;
  std::size_t tables_total_ GUARDED_BY(mutex_) = 0;
  std::size_t tasks_done_ GUARDED_BY(mutex_) = 0;
  std::size_t tasks_total_ GUARDED_BY(mutex_) = 0;
  std::atomic<std::size_t> roles_made_{0};
  double cost_done_ GUARDED_BY(mutex_) = 0;
  double cost_total_ GUARDED_BY(mutex_) = 0;
  std::int64_t bytes_of_ended_ GUARDED_BY(mutex_) = 0;
  std::int64_t bytes_before_ GUARDED_BY(mutex_) = 0;
  bool events_wanted_ GUARDED_BY(mutex_) = false;
  std::vector<Event> events_ GUARDED_BY(mutex_);
};

}  // namespace pgsluice::pipeline
