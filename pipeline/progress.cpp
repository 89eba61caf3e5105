#include "pgsluice/pipeline/progress.h"

#include <algorithm>

namespace pgsluice::pipeline {

void Progress::enter_phase(std::string_view phase) {
  const std::lock_guard lock(mutex_);
  phase_ = phase;
}

void Progress::set_work(const TaskGraph& graph) {
  const std::lock_guard lock(mutex_);
  for (const Task& task : graph.tasks()) {
    if (task.kind == TaskKind::kBarrier) continue;
    ++tasks_total_;
    cost_total_ += task.cost;
    if (task.kind == TaskKind::kTableData) ++tables_total_;
  }
}

Progress::Running::Running(Progress& progress, const Task& task) : progress_(progress) {
  const std::lock_guard lock(progress_.mutex_);
  entry_ = progress_.running_.emplace(progress_.running_.end());
  entry_->task = &task;
  entry_->begin = SteadyClock::now();
}

Progress::Running::~Running() {
  const std::lock_guard lock(progress_.mutex_);
  const auto now = SteadyClock::now();
  const Task& task = *entry_->task;
  const auto [step, first] = progress_.steps_.try_emplace(task.kind);
  if (first) step->second.first_begin = entry_->begin;
  step->second.first_begin = std::min(step->second.first_begin, entry_->begin);
  step->second.last_end = now;
  step->second.total += now - entry_->begin;
  if (entry_->begins_anew) {
    progress_.running_.erase(entry_);
    return;
  }
  ++step->second.tasks;
  ++progress_.tasks_done_;
  if (task.kind == TaskKind::kTableData) ++progress_.tables_done_;
  progress_.cost_done_ += task.cost;
  progress_.bytes_of_ended_ += entry_->bytes.load(std::memory_order_relaxed);
  progress_.running_.erase(entry_);
}

void Progress::add_table(TableResult result) {
  const std::lock_guard lock(mutex_);
  results_.rows += result.rows;
  results_.bytes += result.bytes;
  results_.tables.push_back(std::move(result));
}

void Progress::add_skipped(std::string text) {
  const std::lock_guard lock(mutex_);
  results_.skipped.push_back(std::move(text));
}

void Progress::add_warning(std::string text) {
  const std::lock_guard lock(mutex_);
  results_.warnings.push_back(std::move(text));
}

void Progress::set_large_objects(std::int64_t count) {
  const std::lock_guard lock(mutex_);
  results_.large_objects = count;
}

void Progress::set_sequences(std::int64_t count) {
  const std::lock_guard lock(mutex_);
  results_.sequences = count;
}

ProgressSnapshot Progress::snapshot() const {
  const std::lock_guard lock(mutex_);
  const auto now = SteadyClock::now();
  ProgressSnapshot result;
  result.phase = phase_;
  result.elapsed = now - started_;
  result.tables_done = tables_done_;
  result.tables_total = tables_total_;
  result.tasks_done = tasks_done_;
  result.tasks_total = tasks_total_;
  result.copied = {bytes_of_ended_};
  double cost = cost_done_;
  for (const Running::Entry& entry : running_) {
    const Bytes copied{entry.bytes.load(std::memory_order_relaxed)};
    result.copied += copied;
    // The stream may be longer than the table on disk: it never counts as more than nearly done.
    cost += std::min(static_cast<double>(copied.count), entry.task->cost * 0.95);
    result.running.push_back({entry.task->name, copied, now - entry.begin});
  }
  // Costs are estimates: nothing is said to be whole before it is.
  const double most = tasks_done_ < tasks_total_ ? 0.99 : 1.0;
  if (cost_total_ > 0) result.fraction = std::min(most, cost / cost_total_);
  return result;
}

CloneSummary Progress::summary() const {
  const std::lock_guard lock(mutex_);
  CloneSummary result = results_;
  std::sort(result.tables.begin(), result.tables.end(),
            [](const TableResult& a, const TableResult& b) { return a.name < b.name; });
  for (const auto& [kind, step] : steps_) {
    result.steps.push_back({.name = std::string(to_string(kind)),
                            .tasks = step.tasks,
                            .wall = step.last_end - step.first_begin,
                            .total = step.total});
  }
  result.duration = SteadyClock::now() - started_;
  return result;
}

}  // namespace pgsluice::pipeline
