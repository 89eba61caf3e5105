#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "pgsluice/error.h"
#include "pipeline/plan/options.h"
#include "pipeline/plan/task_graph.h"

namespace pgsluice::pipeline {

/// A task that did not succeed.
struct TaskFailure {
  TaskId task = 0;
  Error error;
  bool was_postponed = false;  ///< it was tried again before it was given up
};

/// How a task that is tried again has failed before.
struct EarlierFailure {
  Error error;                  ///< the last one
  bool name_not_found = false;  ///< in one of the tries
};

/// The outcome of a task that has failed.
enum class FailureOutcome {
  kFailed,     ///< it is given up, and what needs it is skipped
  kSkipped,    ///< an earlier task that it needs has failed, after which it was sent
  kPostponed,  ///< it is tried again when others have succeeded
};

/// A task that was not begun, since another one that it needs has failed.
struct TaskLeftOut {
  TaskId task = 0;
  TaskId because_of = 0;
};

/// Hands the tasks of a graph to worker threads: those that wait for nothing any more, heaviest remaining path first,
/// in kMain in the order in which they were added. Definitions before the data are taken before anything else. Two
/// tasks whose lock claims conflict never run at once: one that could begin but for them is put aside until the claim
/// that it waits for is given back, so that taking a task costs the same however many there are. Any thread.
///
/// Rows of small tables travel together. While definitions are made, or some such rows are on their way, others wait
/// until there are kMinimumBatch of them: taken one by one as their tables are made, each would cost a transaction of
/// its own.
///
/// A task that others may help to succeed (later_try.h) is postponed when it fails. Once nothing else can run, all
/// postponed tasks are tried again, as long as each such pass brings one more through. What then is left lets those
/// that only come after it run first (a materialized view may be what an index's function reads), and is given up at
/// the graph's last chance (Task::is_last_chance), definitions before the data and rows before that.
class Scheduler {
 public:
  /// Which lanes make definitions before the data: those that the graph names, or kMain alone, for a clone whose other
  /// workers have to wait for their turn.
  enum class Definitions { kInTheirLanes, kInMain };

  /// `done`: tasks that an earlier run has done already.
  Scheduler(const TaskGraph& graph, FailurePolicy policy, const std::set<TaskId>& done = {},
            Definitions definitions = Definitions::kInTheirLanes);

  static constexpr std::size_t kMinimumBatch = 32;

  /// The next task for a worker of this lane; waits for one. Returns nullopt if the lane has no task left, or after
  /// stop().
  std::optional<TaskId> next(Lane lane);

  /// Like next(), without waiting: returns nullopt if no task is ready, or if the next one costs more.
  std::optional<TaskId> next_ready(Lane lane, double max_cost);
  /// For a worker that has taken a task which travels together with others of its kind (Batching): another one, also
  /// where next_ready() would hold it back. Returns nullopt if the next one costs more or is of another kind.
  std::optional<TaskId> next_to_join(Lane lane, double max_cost, TaskKind kind);
  /// How many tasks of a lane could begin now, and cost at least so much; no more than `most` are counted.
  int count_ready(Lane lane, double least_cost, int most) const;
  /// The task whose end has let this one begin; nullopt for one that could begin at once.
  std::optional<TaskId> freed_by(TaskId task) const;

  /// Like next(), for a worker that can do something else meanwhile: also returns nullopt, with tasks left, as soon as
  /// `gives_up` says so where none is ready. It is asked again with each change, also by set_paused(), and must not
  /// come back here.
  std::optional<TaskId> next_unless(Lane lane, const std::function<bool()>& gives_up);
  /// Like next_unless(), for a worker that holds the snapshot: also returns nullopt as soon as no task is left that
  /// needs it and none is ready, so that what the worker waits for next does not keep the source from cleaning up.
  std::optional<TaskId> next_in_snapshot(Lane lane, const std::function<bool()>& gives_up = {});

  /// While it is paused no task begins; those that have begun go on.
  void set_paused(bool paused);

  /// Reports the end of a task that a worker took.
  void succeeded(TaskId task);
  FailureOutcome failed(TaskId task, const Error& error);
  /// nullopt for a task that has not failed before.
  std::optional<EarlierFailure> earlier_failure(TaskId task) const;

  /// Begins no more tasks. Keeps the first error that is given; nullopt means that the run was cancelled.
  void stop(const std::optional<Error>& error);

  /// Readable once every task has ended or stop() was called.
  int ended_fd() const { return end_event_.get(); }

  /// True if stop() was called.
  bool stopped() const;
  /// True if every task has ended.
  bool finished() const;
  /// True if each that has ended has succeeded.
  bool nothing_failed() const;
  /// To be read when the workers are gone.
  std::vector<TaskFailure> failures() const;
  std::vector<TaskLeftOut> left_out() const;
  /// Tasks that have succeeded although what they need, after which they were sent, has failed.
  std::vector<TaskLeftOut> made_without() const;
  std::optional<Error> fatal() const;

 private:
  struct Ready {
    double weight;
    TaskId task;
    bool operator<(const Ready& other) const {
      return weight != other.weight ? weight > other.weight : task < other.task;
    }
  };

  std::optional<TaskId> take_ready(Lane lane, double max_cost, std::optional<TaskKind> joins) REQUIRES(mutex_);
  void begin(TaskId task) REQUIRES(mutex_);
  static std::size_t index_of(Lane lane) { return static_cast<std::size_t>(lane); }
  Lane lane_of(TaskId task) const;
  std::optional<TaskId> take_definition_of_builders(double max_cost) REQUIRES(mutex_);
  static bool travels_together(const Task& task);
  static bool is_in_order(const Task& task);
  std::optional<schema::Oid> conflicting_claim(const Task& task) const REQUIRES(mutex_);
  void add_ready(TaskId task) REQUIRES(mutex_);
  bool take_from_ready(TaskId task) REQUIRES(mutex_);
  void count_as_ready(TaskId task, bool is_ready) REQUIRES(mutex_);
  void take_up_again(schema::Oid relation) REQUIRES(mutex_);
  bool is_held_for_batch(const Task& task) const REQUIRES(mutex_);
  void hold_claims(const Task& task) REQUIRES(mutex_);
  void release_claims(const Task& task) REQUIRES(mutex_);
  void release(std::vector<TaskId> free) REQUIRES(mutex_);
  std::vector<TaskId> mark_ended(TaskId task, std::optional<TaskId> root_cause) REQUIRES(mutex_);
  void signal_end();
  bool is_quiet() const REQUIRES(mutex_);
  void keep(TaskId task, const Error& error) REQUIRES(mutex_);
  bool take_from_postponed(TaskId task) REQUIRES(mutex_);
  void postpone(TaskId task) REQUIRES(mutex_);
  void retry_definitions() REQUIRES(mutex_);
  void go_on_when_quiet() REQUIRES(mutex_);
  bool goes_on() REQUIRES(mutex_);
  void retry_postponed() REQUIRES(mutex_);
  bool carry_over() REQUIRES(mutex_);
  bool rows_need(TaskId task) const REQUIRES(mutex_);
  void give_up(TaskId task) REQUIRES(mutex_);
  void requeue(TaskId task) REQUIRES(mutex_);
  bool is_released(TaskId task, const TaskGraph::Edge& edge) const REQUIRES(mutex_);

  const TaskGraph& graph_;
  const FailurePolicy policy_;
  const Definitions definitions_;
  std::vector<double> weights_;

  mutable Mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::size_t> waits_ GUARDED_BY(mutex_);
  std::vector<std::optional<TaskId>> doomed_by_ GUARDED_BY(mutex_);
  std::vector<std::optional<TaskId>> freed_by_ GUARDED_BY(mutex_);
  std::vector<bool> begun_ GUARDED_BY(mutex_);
  std::vector<bool> ended_ GUARDED_BY(mutex_);
  std::vector<bool> succeeded_ GUARDED_BY(mutex_);
  bool is_going_on_ GUARDED_BY(mutex_) = false;  ///< go_on_when_quiet() is at work
  std::set<TaskId> postponed_ GUARDED_BY(mutex_);
  std::map<TaskId, EarlierFailure> earlier_failures_ GUARDED_BY(mutex_);
  /// Tasks whose followers that only come after them need not wait for them any more.
  std::vector<bool> carried_ GUARDED_BY(mutex_);
  /// Carried tasks that are ready or at work. No edge makes a last chance wait for them.
  std::set<TaskId> active_carried_ GUARDED_BY(mutex_);
  /// Last chances that have come while there were postponed tasks, or carried ones at work.
  std::vector<TaskId> held_barriers_ GUARDED_BY(mutex_);
  std::size_t running_ GUARDED_BY(mutex_) = 0;
  std::size_t definitions_ready_ GUARDED_BY(mutex_) = 0;
  std::size_t definitions_running_ GUARDED_BY(mutex_) = 0;
  std::size_t definitions_postponed_ GUARDED_BY(mutex_) = 0;
  /// Since postponed tasks were tried again: all that have succeeded, and the definitions among them.
  std::size_t succeeded_since_ GUARDED_BY(mutex_) = 0;
  std::size_t definitions_since_ GUARDED_BY(mutex_) = 0;
  std::array<std::set<Ready>, kLanes> ready_ GUARDED_BY(mutex_);
  std::array<std::size_t, kLanes> left_in_lane_ GUARDED_BY(mutex_){};
  std::size_t left_ GUARDED_BY(mutex_) = 0;
  std::size_t left_in_snapshot_ GUARDED_BY(mutex_) = 0;
  std::multimap<schema::Oid, index::LockMode> held_ GUARDED_BY(mutex_);
  /// Tasks that could begin but for a claim on this relation. While there are any, it is claimed, or one that claims it
  /// is ready.
  std::map<schema::Oid, std::set<Ready>> put_aside_ GUARDED_BY(mutex_);
  std::map<TaskId, schema::Oid> waits_for_claim_ GUARDED_BY(mutex_);
  /// Rows of small tables.
  std::size_t small_ready_ GUARDED_BY(mutex_) = 0;
  std::size_t small_running_ GUARDED_BY(mutex_) = 0;
  std::vector<TaskFailure> failures_ GUARDED_BY(mutex_);
  std::vector<TaskLeftOut> left_out_ GUARDED_BY(mutex_);
  std::vector<TaskLeftOut> made_without_ GUARDED_BY(mutex_);
  std::optional<Error> fatal_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;
  bool paused_ GUARDED_BY(mutex_) = false;
  FileDescriptor end_event_;
};

}  // namespace pgsluice::pipeline
