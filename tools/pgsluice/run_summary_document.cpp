#include "tools/pgsluice/run_summary_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "pg/quote.h"
#include "pgsluice/bytes.h"
#include "tools/pgsluice/report_format.h"

namespace pgsluice::tools {

namespace {

using Json = nlohmann::ordered_json;
using pipeline::RunState;
using pipeline::TaskKind;

// Empty for what an earlier run has copied, whose time is unknown.
std::string rate(Bytes bytes, std::chrono::nanoseconds duration) {
  if (duration.count() == 0) return "";
  const double seconds = std::max(std::chrono::duration<double>(duration).count(), 0.001);
  return to_string(Bytes{static_cast<std::int64_t>(static_cast<double>(bytes.count) / seconds)}) + "/s";
}

Json step_of(const RunState& state, const pipeline::StepResult& step) {
  const std::optional<TaskKind> kind = pipeline::task_kind_of(step.id);
  const pipeline::KindTraits traits = kind ? pipeline::traits_of(*kind) : pipeline::KindTraits();
  const int concurrency = traits.jobs == pipeline::Jobs::kTableJobs   ? state.table_jobs
                          : traits.jobs == pipeline::Jobs::kIndexJobs ? state.index_jobs
                                                                      : 1;
  return {{"id", step.id},
          {"label", step.label},
          {"conn", traits.reads_source ? "both" : "target"},
          {"duration", milliseconds(step.wall)},
          {"duration_pretty", format_duration(step.wall)},
          {"concurrency", concurrency},
          {"tasks", step.tasks},
          {"cumulative", milliseconds(step.total)}};
}

Json index_of(const RunState::Task& task) {
  return {{"oid", task.oid},
          {"schema", task.schema},
          {"name", task.relation},
          {"sql", task.sql},
          {"ms", milliseconds(task.ended - task.began)}};
}

Json table_of(const RunState& state, const RunState::Task& task, const pipeline::TableResult& result) {
  Json table = {{"oid", task.oid},
                {"schema", task.schema},
                {"name", task.relation},
                {"duration", milliseconds(result.duration)},
                {"network",
                 {{"bytes", result.bytes.count},
                  {"bytes-pretty", to_string(result.bytes)},
                  {"transmit-rate", rate(result.bytes, result.duration)}}},
                {"rows", result.rows},
                {"parts", result.parts},
                {"format", result.format}};
  Json indexes = Json::array();
  std::int64_t duration = 0;
  for (const RunState::Task& index : state.tasks) {
    if (index.kind != id_of(TaskKind::kIndexBuild) || index.table != task.oid || !index.done) continue;
    indexes.push_back(index_of(index));
    duration += indexes.back()["ms"].get<std::int64_t>();
  }
  table["index"] = {{"count", indexes.size()}, {"duration", duration}};
  table["indexes"] = std::move(indexes);
  // A key is an index that is built, and then a moment's ALTER TABLE.
  table["constraints"] = Json::array();
  return table;
}

}  // namespace

std::string run_summary_json(const RunState& state) {
  const pipeline::CloneSummary& summary = *state.summary;
  Json document = {{"setup", {{"table-jobs", state.table_jobs}, {"index-jobs", state.index_jobs}}},
                   {"steps", Json::array()},
                   {"tables", Json::array()},
                   {"complete", summary.complete()},
                   {"rows", summary.rows},
                   {"bytes", summary.bytes.count},
                   {"large_objects", summary.large_objects},
                   {"sequences", summary.sequences},
                   {"duration", milliseconds(summary.duration)},
                   {"failed", Json::array()},
                   {"left_out", Json::array()},
                   {"skipped", summary.skipped},
                   {"warnings", summary.warnings}};
  for (const pipeline::StepResult& step : summary.steps) document["steps"].push_back(step_of(state, step));
  std::map<std::string, const RunState::Task*> tables;
  for (const RunState::Task& task : state.tasks) {
    if (task.kind == id_of(TaskKind::kTableData)) tables[pg::display_name(task.schema, task.relation)] = &task;
  }
  for (const pipeline::TableResult& result : summary.tables) {
    const auto task = tables.find(result.name);
    if (task != tables.end()) document["tables"].push_back(table_of(state, *task->second, result));
  }
  for (const pipeline::FailedObject& object : summary.failed) {
    document["failed"].push_back({{"name", object.name}, {"message", object.error.what()}});
  }
  for (const pipeline::LeftOutObject& object : summary.left_out) {
    document["left_out"].push_back({{"name", object.name}, {"because_of", object.because_of}});
  }
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace pgsluice::tools
