#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "index/lock_claims.h"
#include "pgsluice/cancel.h"
#include "pipeline/plan/task_kind.h"
#include "schema/archive/acl.h"

namespace pgsluice::copy {
struct RowRange;
}

namespace pgsluice::pipeline {

struct TablePlan;

/// Which worker threads may take a task.
enum class Lane { kMain, kCopy, kBuild };
inline constexpr std::size_t kLanes = 3;

/// The cost of a statement by itself, in the unit of Task::cost, so that many small tasks count as work.
inline constexpr double kStatementCost = 16 * 1024;
/// A task that costs as much as this, or cannot be estimated, is sent to a server by itself: what is sent after it
/// would wait for it while other connections are free. As many of the shortest statements fill a round trip of 20 ms
/// and more.
inline constexpr double kMaxCostTogether = 256 * kStatementCost;

using TaskId = std::size_t;

/// A piece of work. The pointers refer to archive, catalog and plan; work_of() says what there is to do.
struct Task {
  TaskKind kind = TaskKind::kBarrier;
  Lane lane = Lane::kMain;
  std::string name;  ///< for messages: "index public.orders_pkey"
  /// Roughly the bytes that have to be moved or sorted: the most expensive task starts first.
  double cost = 0;
  std::vector<index::LockClaim> claims;

  const schema::TocEntry* entry = nullptr;
  const schema::Relation* relation = nullptr;
  /// For table data: how the table crosses, and which of its rows.
  const TablePlan* table = nullptr;
  const copy::RowRange* range = nullptr;
  /// For sequence values: those whose values these are.
  std::span<const schema::Sequence> sequences = {};
  /// The statement to run; empty: the entry's own definition.
  std::string sql;
  /// For privileges: in whose name they are granted.
  schema::OwnersPart owners_part = schema::OwnersPart::kByCurrentUser;
  /// For a validation: a query of the rows that keep it from succeeding.
  std::string sql_that_counts = {};
  /// For a key that is made NOT VALID only if rows have no parent: what validates it later.
  std::string sql_that_validates = {};
  /// True if it is done again when a run is resumed.
  bool repeated = false;
  /// For a barrier: tasks that were postponed are given up before it.
  bool is_last_chance = false;

  const KindTraits& traits() const { return traits_of(kind); }
  /// True if it has nothing to do but to wait for others.
  bool is_barrier() const { return kind == TaskKind::kBarrier; }
  /// True if it brings rows of a table, which `table` and `range` name.
  bool copies_rows() const { return range != nullptr; }
};

/// Tasks and what they wait for. Built once, then read by the scheduler.
class TaskGraph {
 public:
  TaskGraph() = default;
  /// A graph that is built until the token is cancelled: adding to it then throws Error(kCancelled).
  explicit TaskGraph(CancelToken cancel) : cancel_(std::move(cancel)) {}

  TaskId add(Task task);

  /// `task` begins only after `before` has succeeded; if that fails, it is left out.
  void require(TaskId task, TaskId before);
  /// `task` begins only after `before` has ended, in whatever way.
  void after(TaskId task, TaskId before);
  /// `task` needs `before`, and both are carried out by one connection in the order in which they begin: it may begin
  /// as soon as `before` has. If that fails, it is left out, also when it was begun and has failed for that.
  void require_in_order(TaskId task, TaskId before);

  const std::vector<Task>& tasks() const { return tasks_; }
  const Task& operator[](TaskId id) const { return tasks_[id]; }
  Task& operator[](TaskId id) { return tasks_[id]; }
  std::size_t size() const { return tasks_.size(); }

  struct Edge {
    TaskId to;
    bool required;
    bool in_order;  // fulfilled with the begin
  };
  const std::vector<Edge>& followers(TaskId id) const { return followers_[id]; }
  /// True if tasks that need this one may have been sent before its answer came.
  bool has_followers_in_order(TaskId id) const;
  /// How many edges lead to a task.
  std::size_t waits_for(TaskId id) const { return incoming_[id]; }

  /// For each task the cost of the longest path that begins with it. Throws Error(kInternal) naming the tasks of a
  /// circle.
  std::vector<double> remaining_costs() const;

 private:
  void connect(TaskId before, const Edge& edge);
  void note_addition();

  std::vector<Task> tasks_;
  std::vector<std::vector<Edge>> followers_;
  std::vector<std::size_t> incoming_;
  CancelToken cancel_;
  std::size_t additions_ = 0;
};

}  // namespace pgsluice::pipeline
