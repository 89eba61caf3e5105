#include "tools/pgsluice/plan_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "pg/quote.h"
#include "tools/pgsluice/report_format.h"
#include "tools/pgsluice/text_table.h"

namespace pgsluice::tools {

namespace {

using nlohmann::json;
using Align = TextTable::Align;

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
         list_text("Warnings:", plan.warnings);
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
