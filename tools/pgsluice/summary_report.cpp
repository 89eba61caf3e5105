#include "tools/pgsluice/summary_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/counted.h"
#include "base/duration.h"
#include "pg/quote.h"
#include "tools/pgsluice/remedies.h"
#include "tools/pgsluice/report_format.h"
#include "tools/pgsluice/text_table.h"

namespace pgsluice::tools {

namespace {

using nlohmann::json;
using Align = TextTable::Align;

std::string notes_text(const pipeline::CloneSummary& summary) {
  std::vector<std::string> failed;
  for (const pipeline::FailedObject& object : summary.failed) failed.push_back(describe(object.error));
  std::vector<std::string> left_out;
  for (const pipeline::LeftOutObject& object : summary.left_out) {
    left_out.push_back(fmt::format("{}: needs {}", object.name, object.because_of));
  }
  return list_text("Skipped or done differently:", summary.skipped) + list_text("Warnings:", summary.warnings) +
         list_text("FAILED:", failed) + list_text("LEFT OUT, since something they need failed:", left_out);
}

// Returns of many tables the ones that took longest, the longest first.
std::vector<pipeline::TableResult> tables_to_show(std::vector<pipeline::TableResult> tables) {
  constexpr std::size_t kFew = 30;
  constexpr std::ptrdiff_t kSlowest = 10;
  if (tables.size() <= kFew) return tables;
  const auto end = tables.begin() + kSlowest;
  std::partial_sort(tables.begin(), end, tables.end(),
                    [](const auto& a, const auto& b) { return a.duration > b.duration; });
  tables.erase(end, tables.end());
  return tables;
}

std::string expected_text(std::chrono::nanoseconds duration, const pipeline::ExpectedTime& expected) {
  const char* how = duration < expected.least  ? "Faster than"
                    : duration > expected.most ? "Slower than"
                                               : "Within what";
  return fmt::format("{} --dry-run expected ({} to {})\n", how, format_duration(expected.least),
                     format_duration(expected.most));
}

}  // namespace

std::string summary_text(const pipeline::CloneSummary& summary) {
  TextTable tables({{"Table"},
                    {"Rows", Align::kRight},
                    {"Bytes", Align::kRight},
                    {"Parts", Align::kRight},
                    {"Format"},
                    {"Time", Align::kRight}});
  const std::vector<pipeline::TableResult> shown = tables_to_show(summary.tables);
  for (const pipeline::TableResult& table : shown) {
    tables.add({table.name, std::to_string(table.rows), to_string(table.bytes), std::to_string(table.parts),
                table.format, format_duration(table.duration)});
  }
  TextTable steps(
      {{"Step"}, {"Tasks", Align::kRight}, {"First to last", Align::kRight}, {"All workers", Align::kRight}});
  for (const pipeline::PhaseResult& phase : summary.preparation) {
    steps.add({phase.name, "", format_duration(phase.duration), ""});
  }
  for (const pipeline::StepResult& step : summary.steps) {
    steps.add({step.label, std::to_string(step.tasks), format_duration(step.wall), format_duration(step.total)});
  }
  std::string text;
  if (!tables.empty()) text += tables.text();
  if (shown.size() < summary.tables.size()) {
    text += fmt::format("{} took less time than these; --json lists all\n",
                        counted(summary.tables.size() - shown.size(), "other table"));
  }
  if (!tables.empty()) text += "\n";
  if (!summary.steps.empty()) text += steps.text();
  text += notes_text(summary);
  if (summary.steps.empty()) text += "Nothing was left to do.\n";
  // For a command that does some steps, only what these have done.
  std::vector<std::string> all;
  if (!summary.tables.empty()) {
    all = {counted(summary.tables.size(), "table"), counted(summary.rows, "row"), to_string(summary.bytes)};
  }
  if (summary.large_objects > 0) all.push_back(counted(summary.large_objects, "large object"));
  if (summary.sequences > 0) all.push_back(counted(summary.sequences, "sequence"));
  text += fmt::format("\nTotal: {}{}{}\n", fmt::join(all, ", "), all.empty() ? "" : " in ",
                      format_duration(summary.duration));
  if (summary.expected) text += expected_text(summary.duration, *summary.expected);
  return text;
}

namespace {

json to_json(const pipeline::CloneSummary& summary) {
  json document = {{"complete", summary.complete()}, {"rows", summary.rows},
                   {"bytes", summary.bytes.count},   {"large_objects", summary.large_objects},
                   {"sequences", summary.sequences}, {"duration_ms", milliseconds(summary.duration)},
                   {"tables", json::array()},        {"steps", json::array()},
                   {"preparation", json::array()},   {"failed", json::array()},
                   {"left_out", json::array()},      {"skipped", summary.skipped},
                   {"warnings", summary.warnings}};
  if (summary.expected) {
    document["expected_seconds"] = {{"least", summary.expected->least.count()},
                                    {"most", summary.expected->most.count()}};
  }
  for (const pipeline::TableResult& table : summary.tables) {
    document["tables"].push_back({{"name", table.name},
                                  {"rows", table.rows},
                                  {"bytes", table.bytes.count},
                                  {"parts", table.parts},
                                  {"format", table.format},
                                  {"duration_ms", milliseconds(table.duration)}});
  }
  for (const pipeline::PhaseResult& phase : summary.preparation) {
    document["preparation"].push_back({{"phase", phase.name}, {"wall_ms", milliseconds(phase.duration)}});
  }
  for (const pipeline::StepResult& step : summary.steps) {
    document["steps"].push_back({{"id", step.id},
                                 {"label", step.label},
                                 {"tasks", step.tasks},
                                 {"wall_ms", milliseconds(step.wall)},
                                 {"total_ms", milliseconds(step.total)}});
  }
  for (const pipeline::FailedObject& object : summary.failed) {
    document["failed"].push_back(
        {{"name", object.name}, {"sqlstate", object.error.sqlstate()}, {"message", describe(object.error)}});
  }
  for (const pipeline::LeftOutObject& object : summary.left_out) {
    document["left_out"].push_back({{"name", object.name}, {"because_of", object.because_of}});
  }
  return document;
}

std::string state_of(const pipeline::DatabaseResult& database) {
  if (database.complete()) return "complete";
  if (!database.error) {
    return counted(database.summary.failed.size() + database.summary.left_out.size(), "object missing",
                   "objects missing");
  }
  if (database.error->kind() != ErrorKind::kCancelled) return "failed";
  return database.target_changed || database.made ? "cancelled" : "not begun";
}

}  // namespace

std::string summary_json(const pipeline::CloneSummary& summary) { return dump(to_json(summary)); }

std::string server_summary_text(const pipeline::ServerSummary& summary) {
  TextTable table({{"Database"},
                   {"Tables", Align::kRight},
                   {"Rows", Align::kRight},
                   {"Bytes", Align::kRight},
                   {"Time", Align::kRight},
                   {"State"}});
  std::vector<std::string> roles;
  for (const Error& error : summary.roles_failed) roles.push_back(describe(error));
  std::string notes = list_text("Warnings:", summary.warnings) + list_text("FAILED:", roles);
  pipeline::CloneSummary all;
  std::size_t complete = 0;
  for (const pipeline::DatabaseResult& database : summary.databases) {
    const pipeline::CloneSummary& of = database.summary;
    const std::string name = pg::display_name("", database.name);
    table.add({name, std::to_string(of.tables.size()), std::to_string(of.rows), to_string(of.bytes),
               format_duration(of.duration), state_of(database)});
    std::string text = notes_text(of);
    if (database.error) text += list_text("FAILED:", {describe(*database.error)});
    if (!text.empty()) notes += fmt::format("\n{}\n{}\n{}", name, std::string(name.size(), '-'), text.substr(1));
    all.rows += of.rows;
    all.bytes.count += of.bytes.count;
    if (database.complete()) ++complete;
  }
  return table.text() + notes +
         fmt::format("\nTotal: {} of {} databases, {} rows, {} in {}\n", complete, summary.databases.size(), all.rows,
                     to_string(all.bytes), format_duration(summary.duration));
}

std::string server_summary_json(const pipeline::ServerSummary& summary) {
  json document = {{"complete", summary.complete()},
                   {"cancelled", summary.cancelled},
                   {"duration_ms", milliseconds(summary.duration)},
                   {"warnings", summary.warnings},
                   {"roles_failed", json::array()},
                   {"databases", json::array()}};
  for (const Error& error : summary.roles_failed) document["roles_failed"].push_back(describe(error));
  for (const pipeline::DatabaseResult& database : summary.databases) {
    json of = to_json(database.summary);
    of["name"] = database.name;
    of["made"] = database.made;
    of["state"] = state_of(database);
    of["complete"] = database.complete();
    if (database.error) {
      of["error"] = {{"message", describe(*database.error)}, {"sqlstate", database.error->sqlstate()}};
    }
    document["databases"].push_back(std::move(of));
  }
  return dump(document);
}

std::string error_json(const Error& error, bool target_changed) {
  return dump({{"complete", false},
               {"error", describe(error)},
               {"sqlstate", error.sqlstate()},
               {"target_changed", target_changed}});
}

}  // namespace pgsluice::tools
