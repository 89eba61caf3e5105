#include "pipeline/progress/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace pgsluice::pipeline {

void Progress::enter_phase(std::string_view phase) {
  const MutexLock lock(mutex_);
  phase_ = phase;
  const auto now = SteadyClock::now();
  if (is_prepared_) return;
  if (!preparation_.empty()) preparation_.back().duration = now - preparation_.back().begin;
  is_prepared_ = phase == kRunning;
  if (!is_prepared_) preparation_.push_back({.name = phase_, .begin = now});
}

void Progress::set_work(const TaskGraph& graph) {
  const MutexLock lock(mutex_);
  for (TaskId task = 0; task < items_.size(); ++task) note(Event::Kind::kWillRetry, task);
  items_.clear();
  tables_.clear();
  results_.rows = 0;
  results_.bytes = {};
  results_.sequences = 0;
  tables_done_ = tasks_done_ = tasks_total_ = 0;
  cost_done_ = cost_total_ = 0;
  bytes_of_ended_ = 0;
  bytes_before_ = 0;
  for (const Task& task : graph.tasks()) {
    Item& item = items_.emplace_back(Item{.kind = task.kind, .cost = task.cost});
    if (task.is_barrier()) continue;
    ++tasks_total_;
    cost_total_ += task.cost;
    if (!task.copies_rows()) continue;
    const schema::Relation& relation = *task.table->table;
    item.table = relation.oid;
    Table& table = tables_[relation.oid];
    table.name = relation.display();
    table.part_size = relation.size();  // of all parts, so far
    ++table.parts_left;
  }
  pending_ = {};
  for (auto& [oid, table] : tables_) {
    const auto parts = static_cast<std::int64_t>(table.parts_left);
    table.part_size.count /= parts;
    pending_ += Bytes{table.part_size.count * parts};
  }
  tables_total_ = tables_.size();
}

void Progress::add_done(TaskId task, const copy::LoadedRows& loaded) {
  const MutexLock lock(mutex_);
  if (items_[task].table != 0) count_rows(task, loaded, {});
  count_done(task);
  bytes_of_ended_ += loaded.bytes.count;
  bytes_before_ += loaded.bytes.count;
}

void Progress::record_events(bool wanted) {
  const MutexLock lock(mutex_);
  events_wanted_ = wanted;
  if (!wanted) events_.clear();
}

std::vector<Progress::Event> Progress::take_events() {
  const MutexLock lock(mutex_);
  return std::exchange(events_, {});
}

void Progress::note(Event::Kind kind, TaskId task) {
  if (events_wanted_) events_.push_back({kind, task, SteadyClock::now()});
}

void Progress::count_done(TaskId task) {
  note(Event::Kind::kEnded, task);
  const Item& item = items_[task];
  ++tasks_done_;
  cost_done_ += item.cost;
  if (item.table == 0) return;
  Table& table = tables_[item.table];
  pending_.count -= table.part_size.count;
  if (--table.parts_left == 0) ++tables_done_;
}

Bytes Progress::Running::Entry::copied() const {
  Bytes sum;
  for (const std::atomic<std::int64_t>& one : bytes) sum += Bytes{one.load(std::memory_order_relaxed)};
  return sum;
}

Progress::Running::Running(Progress& progress, std::vector<TaskId> tasks, std::string name) : progress_(progress) {
  const MutexLock lock(progress_.mutex_);
  entry_ = progress_.running_.emplace(progress_.running_.end(), std::move(tasks), std::move(name));
  for (const TaskId task : entry_->tasks) progress_.note(Event::Kind::kBegan, task);
}

Progress::Running::~Running() {
  const MutexLock lock(progress_.mutex_);
  progress_.end(*entry_);
  progress_.running_.erase(entry_);
}

void Progress::end(const Running::Entry& entry) {
  const auto now = SteadyClock::now();
  const auto [step, first] = steps_.try_emplace(items_[entry.tasks.front()].kind);
  if (first) step->second.first_begin = entry.begin;
  step->second.first_begin = std::min(step->second.first_begin, entry.begin);
  step->second.last_end = now;
  step->second.total += now - entry.begin;
  if (entry.will_retry) {
    for (const TaskId task : entry.tasks) note(Event::Kind::kWillRetry, task);
    return;
  }
  step->second.tasks += static_cast<std::int64_t>(entry.tasks.size());
  bytes_of_ended_ += entry.copied().count;
  for (const TaskId task : entry.tasks) count_done(task);
}

void Progress::add_rows(TaskId task, const copy::LoadedRows& loaded, std::chrono::nanoseconds duration) {
  const MutexLock lock(mutex_);
  count_rows(task, loaded, duration);
}

void Progress::count_rows(TaskId task, const copy::LoadedRows& loaded, std::chrono::nanoseconds duration) {
  results_.rows += loaded.rows;
  results_.bytes += loaded.bytes;
  Table& table = tables_[items_[task].table];
  if (!table.result) table.result.emplace(TableResult{.name = table.name});
  TableResult& result = *table.result;
  result.rows += loaded.rows;
  result.bytes += loaded.bytes;
  ++result.parts;
  // Parts that an earlier run has copied may have crossed in the other one.
  const std::string_view format = to_string(loaded.format);
  if (result.format.empty()) {
    result.format = format;
  } else if (result.format.find(format) == std::string::npos) {
    result.format = "binary, text";
  }
  result.duration += duration;
}

void Progress::add_skipped(std::string text) {
  const MutexLock lock(mutex_);
  results_.skipped.push_back(std::move(text));
}

void Progress::add_failed(FailedObject object) {
  const MutexLock lock(mutex_);
  results_.failed.push_back(std::move(object));
}

void Progress::add_warning(std::string text) {
  const MutexLock lock(mutex_);
  results_.warnings.push_back(std::move(text));
}

void Progress::set_large_objects(std::int64_t count) {
  const MutexLock lock(mutex_);
  results_.large_objects = count;
}

void Progress::add_sequences(std::int64_t count) {
  const MutexLock lock(mutex_);
  results_.sequences += count;
}

void Progress::hold_snapshot() {
  const MutexLock lock(mutex_);
  snapshot_since_ = SteadyClock::now();
}

void Progress::release_snapshot() {
  const MutexLock lock(mutex_);
  snapshot_since_.reset();
}

ProgressSnapshot Progress::snapshot() const {
  const MutexLock lock(mutex_);
  const auto now = SteadyClock::now();
  ProgressSnapshot result;
  result.phase = phase_;
  if (snapshot_since_) result.snapshot_age = now - *snapshot_since_;
  result.elapsed = now - started_;
  result.tables_done = tables_done_;
  result.tables_total = tables_total_;
  result.tasks_done = tasks_done_;
  result.tasks_total = tasks_total_;
  result.copied = {bytes_of_ended_};
  result.copied_before = {bytes_before_};
  result.rows = results_.rows;
  result.pending = pending_;
  double cost = cost_done_;
  std::set<schema::Oid> tables;
  for (const Running::Entry& entry : running_) {
    const Bytes copied = entry.copied();
    result.copied += copied;
    double most = 0;
    for (const TaskId task : entry.tasks) {
      if (items_[task].table != 0) tables.insert(items_[task].table);
      most += items_[task].cost;
    }
    if (items_[entry.tasks.front()].table != 0) result.pending.count -= copied.count;
    // The stream may be longer than the table on disk: it never counts as more than nearly done.
    cost += std::min(static_cast<double>(copied.count), most * 0.95);
    std::string name = entry.name;
    if (entry.tasks.size() > 1) name += fmt::format(" and {} more", entry.tasks.size() - 1);
    result.running.push_back({std::move(name), copied, now - entry.begin});
  }
  result.tables_running = tables.size();
  // The stream may be longer than what it comes from.
  result.pending.count = std::max<std::int64_t>(result.pending.count, 0);
  // Costs are estimates: nothing is said to be whole before it is.
  const double most = tasks_done_ < tasks_total_ ? 0.99 : 1.0;
  if (cost_total_ > 0) result.fraction = std::min(most, cost / cost_total_);
  if (phase_ == "done" && results_.complete()) result.fraction = 1;
  return result;
}

CloneSummary Progress::summary() const {
  const MutexLock lock(mutex_);
  CloneSummary result = results_;
  result.preparation = preparation_;
  for (const auto& [oid, table] : tables_) {
    if (table.result) result.tables.push_back(*table.result);
  }
  std::sort(result.tables.begin(), result.tables.end(),
            [](const TableResult& a, const TableResult& b) { return a.name < b.name; });
  for (const auto& [kind, step] : steps_) {
    result.steps.push_back({.id = std::string(id_of(kind)),
                            .label = std::string(label_of(kind)),
                            .tasks = step.tasks,
                            .wall = step.last_end - step.first_begin,
                            .total = step.total});
  }
  result.duration = SteadyClock::now() - started_;
  return result;
}

}  // namespace pgsluice::pipeline
