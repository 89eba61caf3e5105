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

#include "base/duration.h"
#include "base/mutex.h"
#include "pgsluice/bytes.h"
#include "pgsluice/progress.h"
#include "pgsluice/summary.h"
#include "pipeline/plan/plan.h"
#include "pipeline/plan/task_graph.h"

namespace pgsluice::pipeline {

/// Counts what the workers do. It is told of tasks by their numbers in the graph and keeps no pointers, so that what it
/// is told may come from elsewhere. Workers and readers on any thread.
class Progress {
 public:
  Progress() : started_(SteadyClock::now()) {}

  /// Phases before kRunning are the preparation.
  void enter_phase(std::string_view phase);
  static constexpr std::string_view kRunning = "running";
  /// The tasks that there will be, with their costs. When a run continues after a lost connection, counting starts
  /// again.
  void set_work(const TaskGraph& graph);
  /// A task that an earlier run has done; for rows, with what has arrived.
  void add_done(TaskId task, const copy::LoadedRows& loaded);

  /// A task that is being carried out, until the object goes; a failed one counts as done too.
  class Running {
   public:
    /// Several of one kind that are carried out together, or one. `name` is the first one's.
    Running(Progress& progress, std::vector<TaskId> tasks, std::string name);
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running();

    std::atomic<std::int64_t>& bytes(std::size_t task = 0) { return entry_->bytes[task]; }
    /// It was not finished and will be retried: it does not count as done when the object is destroyed.
    void will_retry() { entry_->will_retry = true; }
    std::chrono::nanoseconds elapsed() const { return SteadyClock::now() - entry_->begin; }

   private:
    friend class Progress;
    struct Entry {
      Entry(std::vector<TaskId> of, std::string first)
          : tasks(std::move(of)), name(std::move(first)), begin(SteadyClock::now()), bytes(tasks.size()) {}
      Bytes copied() const;

      const std::vector<TaskId> tasks;
      const std::string name;
      const SteadyClock::time_point begin;
      std::vector<std::atomic<std::int64_t>> bytes;
      bool will_retry = false;
    };
    Progress& progress_;
    std::list<Entry>::iterator entry_;
  };

  /// Rows of a table, or of a part of it, have arrived: the rows of this task.
  void add_rows(TaskId task, const copy::LoadedRows& loaded, std::chrono::nanoseconds duration);
  void add_skipped(std::string text);
  void add_warning(std::string text);
  /// An object that is there, but not as it should be.
  void add_failed(FailedObject object);
  void add_roles_made(std::size_t count) { roles_made_ += count; }
  std::size_t roles_made() const { return roles_made_; }
  void set_large_objects(std::int64_t count);
  void add_sequences(std::int64_t count);

  /// Starts or stops recording what happens to tasks, for take_events().
  void record_events(bool wanted);
  struct Event {
    enum class Kind { kBegan, kEnded, kWillRetry };
    Kind kind = Kind::kBegan;
    TaskId task = 0;
    SteadyClock::time_point at;
  };
  /// Returns the events since the last call, in their order.
  std::vector<Event> take_events();

  /// The source's snapshot is held from now on, or no longer.
  void hold_snapshot();
  void release_snapshot();

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
  void count_done(TaskId task) REQUIRES(mutex_);
  void count_rows(TaskId task, const copy::LoadedRows& loaded, std::chrono::nanoseconds duration) REQUIRES(mutex_);
  void note(Event::Kind kind, TaskId task) REQUIRES(mutex_);

  const SteadyClock::time_point started_;
  mutable Mutex mutex_;
  std::string phase_ GUARDED_BY(mutex_);
  /// In the order in which they began; the last one runs until tasks do.
  std::vector<PhaseResult> preparation_ GUARDED_BY(mutex_);
  bool is_prepared_ GUARDED_BY(mutex_) = false;
  std::list<Running::Entry> running_ GUARDED_BY(mutex_);
  std::map<TaskKind, Step> steps_ GUARDED_BY(mutex_);
  CloneSummary results_ GUARDED_BY(mutex_);
  /// The properties of each task, by its number.
  struct Item {
    TaskKind kind = TaskKind::kBarrier;
    double cost = 0;
    schema::Oid table = 0;  ///< whose rows it brings; 0 for other tasks
  };
  std::vector<Item> items_ GUARDED_BY(mutex_);
  struct Table {
    std::string name;
    std::size_t parts_left = 0;
    Bytes part_size;  ///< of the table on disk
    std::optional<TableResult> result = std::nullopt;
  };
  std::map<schema::Oid, Table> tables_ GUARDED_BY(mutex_);
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
  std::optional<SteadyClock::time_point> snapshot_since_ GUARDED_BY(mutex_);
  bool events_wanted_ GUARDED_BY(mutex_) = false;
  std::vector<Event> events_ GUARDED_BY(mutex_);
};

}  // namespace pgsluice::pipeline
