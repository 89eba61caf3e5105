#include "tools/pgsluice/plan_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "pg/quote.h"
#include "tools/pgsluice/report_format.h"
#include "tools/pgsluice/text_table.h"

namespace pgsluice::tools {

namespace {

using nlohmann::json;
using Align = TextTable::Align;

// "between 2m10s and 4m00s".
std::string range_text(const pipeline::ExpectedTime& time) {
  return fmt::format("between {} and {}", format_duration(time.least), format_duration(time.most));
}

std::string estimate_text(const pipeline::Estimate& estimate) {
  const double percent = 100 * estimate.share;
  std::string text = fmt::format("\nExpected: {}, {} over the network, {} on the target's disk, up to {} of its log\n",
                                 range_text(estimate.time), to_string(estimate.network), to_string(estimate.disk),
                                 to_string(estimate.log));
  if (estimate.sampled.count > 0) {
    text +=
        fmt::format("Measured by a sample of {} ({}): {}/s copied by all streams together", to_string(estimate.sampled),
                    percent >= 99.5 ? "all rows" : fmt::format("{:.2g} % of the rows", percent),
                    to_string(estimate.copied_per_second));
    if (estimate.built_per_second.count > 0) {
      text += fmt::format(", {}/s by one index build", to_string(estimate.built_per_second));
    }
    text += "\n";
  }
  return text + list_text("How it was made:", estimate.notes);
}

json to_json(const pipeline::Estimate& estimate) {
  return {{"least_seconds", estimate.time.least.count()},
          {"most_seconds", estimate.time.most.count()},
          {"network_bytes", estimate.network.count},
          {"disk_bytes", estimate.disk.count},
          {"log_bytes", estimate.log.count},
          {"sampled_bytes", estimate.sampled.count},
          {"sampled_share", estimate.share},
          {"copied_bytes_per_second", estimate.copied_per_second.count},
          {"built_bytes_per_second", estimate.built_per_second.count},
          {"notes", estimate.notes}};
}

}  // namespace

std::string plan_text(const pipeline::ClonePlan& plan) {
  TextTable tables({{"Table"},
                    {"Size", Align::kRight},
                    {"Rows, about", Align::kRight},
                    {"Parts", Align::kRight},
                    {"Format"},
                    {"Method"},
                    {"Why"}});
  for (const pipeline::PlannedTable& table : plan.tables) {
    // -1: never analyzed.
    const double rows = table.estimated_rows;
    tables.add({table.display, to_string(table.size), rows < 0 ? "?" : fmt::format("{:.0f}", rows),
                std::to_string(table.parts), table.format, table.method, table.reason});
  }
  TextTable steps({{"Step"}, {"Tasks", Align::kRight}});
  for (const pipeline::PlannedStep& step : plan.steps) steps.add({step.label, std::to_string(step.tasks)});
  const std::string target =
      fmt::format("\nTOAST is compressed by {}; index builds share {}, and up to {} parallel workers each\n",
                  plan.toast_compression.empty() ? "the target's default" : plan.toast_compression,
                  to_string(plan.index_memory), plan.max_parallel_workers);
  return tables.text() + "\n" + steps.text() + target + list_text("Skipped or done differently:", plan.skipped) +
         list_text("Warnings:", plan.warnings) + (plan.estimate ? estimate_text(*plan.estimate) : "");
}

std::string plan_json(const pipeline::ClonePlan& plan) {
  json document = {{"database", plan.database},
                   {"bytes", plan.size.count},
                   {"tables", json::array()},
                   {"tasks", json::object()},
                   {"toast_compression", plan.toast_compression},
                   {"index_memory_bytes", plan.index_memory.count},
                   {"skipped", plan.skipped},
                   {"warnings", plan.warnings}};
  if (plan.estimate) document["estimate"] = to_json(*plan.estimate);
  for (const pipeline::PlannedTable& table : plan.tables) {
    document["tables"].push_back({{"schema", table.schema},
                                  {"name", table.name},
                                  {"bytes", table.size.count},
                                  {"estimated_rows", table.estimated_rows},
                                  {"parts", table.parts},
                                  {"format", table.format},
                                  {"method", table.method},
                                  {"vacuum", table.is_vacuumed},
                                  {"reason", table.reason}});
  }
  for (const pipeline::PlannedStep& step : plan.steps) document["tasks"][step.id] = step.tasks;
  return dump(document);
}

std::string server_plan_text(const std::vector<pipeline::PlannedDatabase>& databases) {
  TextTable table({{"Database"}, {"Size", Align::kRight}, {"On the target"}});
  for (const pipeline::PlannedDatabase& planned : databases) {
    table.add({pg::display_name("", planned.database.name), to_string(planned.database.size),
               planned.create_sql.empty() ? "is there" : planned.create_sql});
  }
  return table.text();
}

std::string server_plan_json(const std::vector<pipeline::PlannedDatabase>& databases) {
  json document = {{"databases", json::array()}};
  for (const pipeline::PlannedDatabase& planned : databases) {
    document["databases"].push_back({{"name", planned.database.name},
                                     {"bytes", planned.database.size.count},
                                     {"encoding", planned.database.encoding},
                                     {"is_on_target", planned.create_sql.empty()},
                                     {"create", planned.create_sql}});
  }
  return dump(document);
}

}  // namespace pgsluice::tools
