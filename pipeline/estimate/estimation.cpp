#include "pipeline/estimate/estimation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "pipeline/plan/task_costs.h"
#include "pipeline/run/simulation.h"

namespace pgsluice::pipeline {

namespace {

using Seconds = std::chrono::duration<double>;

// Where nothing could be measured: a small server's.
constexpr double kUsualBytesPerSecond = 50e6;
constexpr Seconds kUsualDefinition{0.0003};
// In a run each statement is a transaction of its own, which writes a row of the ledger.
constexpr double kTransaction = 2;
// A build that does not fit into its memory writes and reads what it sorts once more.
constexpr double kBeyondMemory = 1.5;
// Measurements of a few seconds, and tables that differ from those that were measured.
constexpr double kDoubt = 1.25;
// Simulating more tasks would take longer than a person wants to wait.
constexpr std::size_t kMaxSimulatedTasks = 60'000;

struct Rates {
  double copying = kUsualBytesPerSecond;  ///< one of the streams that run at once, in bytes on the target's disk
  double building = 0;                    ///< one build, in bytes of its table; 0: not measured
  double payload = 1;                     ///< bytes on the line for each byte on the target's disk
  double rows_measured = 2;               ///< of one build
  double bytes_of_row = 100;              ///< of those
  Bytes sampled;
  Seconds definition = kUsualDefinition;
};

Rates rates_of(const Samples& samples) {
  Rates rates;
  if (samples.definition > Seconds(0)) rates.definition = samples.definition;
  rates.definition *= kTransaction;
  Seconds copying{};
  Seconds building{};
  double built = 0;
  double payload = 0;
  double rows = 0;
  int builds = 0;
  for (const StreamSample& stream : samples.streams) {
    copying += stream.copying;
    payload += static_cast<double>(stream.payload.count);
    rates.sampled.count += stream.stored.count;
    if (stream.building <= Seconds(0)) continue;
    building += stream.building;
    built += static_cast<double>(stream.heap.count);
    rows += static_cast<double>(stream.rows);
    ++builds;
  }
  const auto stored = static_cast<double>(rates.sampled.count);
  if (stored > 0 && copying > Seconds(0)) {
    rates.copying = stored / copying.count();
    rates.payload = payload / stored;
  }
  if (built > 0) {
    rates.building = built / building.count();
    rates.rows_measured = std::max(2.0, rows / builds);
    rates.bytes_of_row = std::max(1.0, built / std::max(1.0, rows));
  }
  return rates;
}

// Sorting takes longer for each row of more rows.
double growth_of_sorting(const Rates& rates, double bytes, Bytes memory) {
  const double rows = std::max(2.0, bytes / rates.bytes_of_row);
  const double growth = std::max(1.0, std::log2(rows) / std::log2(rates.rows_measured));
  return bytes > static_cast<double>(memory.count) ? growth * kBeyondMemory : growth;
}

// In seconds, each by itself.
std::vector<double> costs_of(const Plan& plan, const Rates& rates, const std::set<TaskId>& done) {
  const Bytes memory{plan.index_memory.count / std::max(1, plan.options.index_jobs)};
  std::vector<double> costs;
  costs.reserve(plan.graph.size());
  for (TaskId id = 0; id < plan.graph.size(); ++id) {
    const Task& task = plan.graph[id];
    if (task.is_barrier() || done.contains(id)) {
      costs.push_back(0);
    } else if (task.copies_rows()) {
      costs.push_back(rates.definition.count() + static_cast<double>(task.range->size.count) / rates.copying);
    } else if (task.traits().sorts && task.cost > kStatementCost) {
      const double bytes = (task.cost - kStatementCost) / TaskCosts::kSorting;
      const double seconds = bytes / (rates.building > 0 ? rates.building : rates.copying / TaskCosts::kSorting);
      costs.push_back(rates.definition.count() + seconds * growth_of_sorting(rates, bytes, memory));
    } else {
      costs.push_back(rates.definition.count() + std::max(0.0, task.cost - kStatementCost) / rates.copying);
    }
  }
  return costs;
}

double makespan(const Plan& plan, const std::vector<double>& costs, const Pace& pace) {
  const SimulatedJobs jobs{.cores = plan.options.table_jobs + plan.options.index_jobs + 1,
                           .table_jobs = copying_at_once(pace, plan.options.table_jobs, 1),
                           .index_jobs = plan.options.index_jobs};
  if (plan.graph.size() <= kMaxSimulatedTasks) return simulate(plan, costs, jobs).makespan;
  std::map<Lane, double> work;
  for (TaskId task = 0; task < plan.graph.size(); ++task) work[plan.graph[task].lane] += costs[task];
  return std::max({work[Lane::kMain], work[Lane::kCopy] / jobs.table_jobs, work[Lane::kBuild] / jobs.index_jobs});
}

std::vector<double> of_lane(const Plan& plan, std::vector<double> costs, bool copies) {
  for (TaskId task = 0; task < plan.graph.size(); ++task) {
    if ((plan.graph[task].lane == Lane::kCopy) != copies) costs[task] = 0;
  }
  return costs;
}

Bytes bytes_of_rows(const Plan& plan, const std::set<TaskId>& done) {
  Bytes all;
  for (TaskId task = 0; task < plan.graph.size(); ++task) {
    if (plan.graph[task].copies_rows() && !done.contains(task)) all.count += plan.graph[task].range->size.count;
  }
  return all;
}

Bytes bytes_of_indexes(const Plan& plan) {
  std::set<schema::Oid> copied;
  for (const TablePlan& table : plan.tables) copied.insert(table.table->oid);
  Bytes all;
  for (const schema::Index& index : plan.catalog.indexes) {
    if (copied.contains(index.table)) all.count += index.size.count;
  }
  return all;
}

std::vector<std::string> notes_of(const Plan& plan, const Samples& samples, const Rates& rates) {
  std::vector<std::string> notes;
  for (const StreamSample& stream : samples.streams) {
    notes.push_back(fmt::format(
        "{}: {} of {} rows in {:.1f} s{}", stream.table, to_string(stream.stored), stream.rows, stream.copying.count(),
        stream.building > Seconds(0) ? fmt::format(", an index on them in {:.1f} s", stream.building.count()) : ""));
  }
  if (samples.streams.empty()) notes.emplace_back("no table is large enough to be measured");
  if (!samples.streams.empty() && rates.building == 0) {
    notes.emplace_back("no index was measured: builds are assumed to take a quarter of their table's copy");
  }
  if (!samples.is_logged) {
    notes.emplace_back("the target's user may not make a schema: temporary tables were measured, which write no log");
  }
  if (!plan.catalog.foreign_keys.empty()) notes.emplace_back("checks of foreign keys are taken for builds of indexes");
  notes.emplace_back(
      "other work on the servers, their checkpoints, and free space within the source's tables are not known");
  return notes;
}

}  // namespace

Estimate estimate(const Plan& plan, const Samples& samples, const EstimateContext& context) {
  const Rates rates = rates_of(samples);
  const std::vector<double> costs = costs_of(plan, rates, context.done);
  const Bytes rows = bytes_of_rows(plan, context.done);
  const Bytes indexes = bytes_of_indexes(plan);
  const double network = static_cast<double>(rows.count) * rates.payload;
  const auto seconds_of = [&](bool copies) { return makespan(plan, of_lane(plan, costs, copies), context.pace); };
  const double max_rate = static_cast<double>(context.pace.max_rate.count);
  const double at_max_rate = max_rate > 0 ? network / max_rate : 0;
  const double together = std::max(makespan(plan, costs, context.pace), at_max_rate);
  const double apart = std::max(seconds_of(true), at_max_rate) + seconds_of(false);
  const auto whole_seconds = [&](double seconds) {
    return std::chrono::seconds(static_cast<std::int64_t>(std::ceil(context.preparation.count() + seconds)));
  };
  const auto streams = static_cast<double>(samples.streams.size());
  const auto sampled = static_cast<double>(rates.sampled.count);
  return {.time = {.least = whole_seconds(std::max(together / kDoubt, at_max_rate)),
                   .most = whole_seconds(std::max(together, apart) * kDoubt)},
          .network = {static_cast<std::int64_t>(network)},
          .disk = {rows.count + indexes.count},
          .log = {rows.count + indexes.count},
          .sampled = rates.sampled,
          .share = rows.count > 0 ? std::min(1.0, sampled / static_cast<double>(rows.count)) : 0,
          .copied_per_second = {static_cast<std::int64_t>(rates.copying * streams)},
          .built_per_second = {static_cast<std::int64_t>(rates.building)},
          .notes = notes_of(plan, samples, rates)};
}

}  // namespace pgsluice::pipeline
