#include "tools/pgsluice/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/counted.h"
#include "base/duration.h"
#include "pg/quote.h"
#include "tools/pgsluice/remedies.h"
#include "tools/pgsluice/text_table.h"

namespace pgsluice::tools {

namespace {

using nlohmann::json;
using Align = TextTable::Align;

std::string list_text(std::string_view head, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string text = fmt::format("\n{}\n", head);
  for (const std::string& line : lines) text += fmt::format("  {}\n", line);
  return text;
}

// Names come from the servers in whatever encoding these have: what is not UTF-8 is replaced.
std::string dump(const json& document) { return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n"; }

std::map<pipeline::TaskKind, std::size_t> task_counts(const pipeline::Plan& plan) {
  std::map<pipeline::TaskKind, std::size_t> counts;
  for (const pipeline::Task& task : plan.graph.tasks()) {
    if (task.kind != pipeline::TaskKind::kBarrier) ++counts[task.kind];
  }
  return counts;
}

std::int64_t milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::round<std::chrono::milliseconds>(duration).count();
}

}  // namespace

std::string plan_text(const pipeline::Plan& plan) {
  TextTable tables({{"Table"},
                    {"Size", Align::kRight},
                    {"Rows, about", Align::kRight},
                    {"Parts", Align::kRight},
                    {"Format"},
                    {"Method"},
                    {"Why"}});
  for (const pipeline::TablePlan& table : plan.tables) {
    // -1: never analyzed.
    const double rows = table.table->estimated_rows;
    tables.add({table.table->display(), to_string(table.table->size()), rows < 0 ? "?" : fmt::format("{:.0f}", rows),
                std::to_string(table.ranges.size()), std::string(to_string(table.format)), table.method, table.reason});
  }
  TextTable steps({{"Step"}, {"Tasks", Align::kRight}});
  for (const auto& [kind, count] : task_counts(plan)) {
    steps.add({std::string(label_of(kind)), std::to_string(count)});
  }
  const std::string target =
      fmt::format("\nTOAST is compressed by {}; index builds share {}, and up to {} parallel workers each\n",
                  plan.toast_compression.empty() ? "the target's default" : plan.toast_compression,
                  to_string(plan.index_memory), plan.most_parallel_workers);
  return tables.text() + "\n" + steps.text() + target + list_text("Not done as such:", plan.skipped) +
         list_text("Warnings:", plan.warnings);
}

std::string plan_json(const pipeline::Plan& plan) {
  json document = {{"database", plan.catalog.database.name},
                   {"bytes", plan.catalog.database.size.count},
                   {"tables", json::array()},
                   {"tasks", json::object()},
                   {"toast_compression", plan.toast_compression},
                   {"index_memory_bytes", plan.index_memory.count},
                   {"skipped", plan.skipped},
                   {"warnings", plan.warnings}};
  for (const pipeline::TablePlan& table : plan.tables) {
    document["tables"].push_back({{"schema", table.table->schema},
                                  {"name", table.table->name},
                                  {"bytes", table.table->size().count},
                                  {"estimated_rows", table.table->estimated_rows},
                                  {"parts", table.ranges.size()},
                                  {"format", to_string(table.format)},
                                  {"method", table.method},
                                  {"vacuum", table.upkeep == pipeline::Upkeep::kVacuumAnalyze},
                                  {"reason", table.reason}});
  }
  for (const auto& [kind, count] : task_counts(plan)) document["tasks"][std::string(id_of(kind))] = count;
  return dump(document);
}

namespace {

std::string notes_text(const pipeline::CloneSummary& summary) {
  std::vector<std::string> failed;
  for (const pipeline::FailedObject& object : summary.failed) failed.push_back(describe(object.error));
  std::vector<std::string> left_out;
  for (const pipeline::LeftOutObject& object : summary.left_out) {
    left_out.push_back(fmt::format("{}: needs {}", object.name, object.because_of));
  }
  return list_text("Not done as such:", summary.skipped) + list_text("Warnings:", summary.warnings) +
         list_text("FAILED:", failed) + list_text("LEFT OUT, since something they need failed:", left_out);
}

}  // namespace

std::string summary_text(const pipeline::CloneSummary& summary) {
  TextTable tables({{"Table"},
                    {"Rows", Align::kRight},
                    {"Bytes", Align::kRight},
                    {"Parts", Align::kRight},
                    {"Format"},
                    {"Time", Align::kRight}});
  for (const pipeline::TableResult& table : summary.tables) {
    tables.add({table.name, std::to_string(table.rows), to_string(table.bytes), std::to_string(table.parts),
                table.format, format_duration(table.duration)});
  }
  TextTable steps(
      {{"Step"}, {"Tasks", Align::kRight}, {"First to last", Align::kRight}, {"All workers", Align::kRight}});
  for (const pipeline::StepResult& step : summary.steps) {
    steps.add({step.label, std::to_string(step.tasks), format_duration(step.wall), format_duration(step.total)});
  }
  std::string text;
  if (!tables.empty()) text += tables.text() + "\n";
  if (!summary.steps.empty()) text += steps.text();
  text += notes_text(summary);
  if (summary.steps.empty()) text += "Nothing was left to do.\n";
  // Of a command that does some steps only what these have done.
  std::vector<std::string> all;
  if (!summary.tables.empty()) {
    all = {counted(summary.tables.size(), "table"), counted(summary.rows, "row"), to_string(summary.bytes)};
  }
  if (summary.large_objects > 0) all.push_back(counted(summary.large_objects, "large object"));
  if (summary.sequences > 0) all.push_back(counted(summary.sequences, "sequence"));
  text += fmt::format("\nTotal: {}{}{}\n", fmt::join(all, ", "), all.empty() ? "" : " in ",
                      format_duration(summary.duration));
  return text;
}

namespace {

json to_json(const pipeline::CloneSummary& summary) {
  json document = {{"complete", summary.complete()}, {"rows", summary.rows},
                   {"bytes", summary.bytes.count},   {"large_objects", summary.large_objects},
                   {"sequences", summary.sequences}, {"duration_ms", milliseconds(summary.duration)},
                   {"tables", json::array()},        {"steps", json::array()},
                   {"failed", json::array()},        {"left_out", json::array()},
                   {"skipped", summary.skipped},     {"warnings", summary.warnings}};
  for (const pipeline::TableResult& table : summary.tables) {
    document["tables"].push_back({{"name", table.name},
                                  {"rows", table.rows},
                                  {"bytes", table.bytes.count},
                                  {"parts", table.parts},
                                  {"format", table.format},
                                  {"duration_ms", milliseconds(table.duration)}});
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

namespace {

std::string verdict(const pipeline::ComparedTable& table) {
  if (!table.on_source) return "only on the target";
  if (!table.on_target) return "missing on the target";
  if (!table.trouble.empty()) return table.trouble;
  if (!table.note.empty()) return table.note;
  if (!table.undecided.empty()) return table.undecided;
  return table.equal() ? "equal" : "DIFFERENT";
}

}  // namespace

std::string comparison_text(const pipeline::ComparedData& data) {
  TextTable tables({{"Table"}, {"Rows on the source", Align::kRight}, {"on the target", Align::kRight}, {"Result"}});
  std::vector<std::string> rows;
  std::size_t equal = 0;
  for (const pipeline::ComparedTable& table : data.tables) {
    const std::string name = pg::display_name(table.schema, table.name);
    // Where they were not read, there is no count.
    const bool is_read = table.on_source && table.on_target && table.trouble.empty() && table.undecided.empty();
    tables.add({name, is_read ? std::to_string(table.source.rows) : "-",
                is_read ? std::to_string(table.target.rows) : "-", verdict(table)});
    for (const std::string& row : table.rows) rows.push_back(fmt::format("{} {}", name, row));
    equal += table.equal() ? 1U : 0U;
  }
  return tables.text() + list_text("Rows that differ, by primary key (the first of each table):", rows) +
         list_text("Sequences that differ:", data.sequences) +
         list_text("Large objects that differ (the first of them):", data.large_objects) +
         (data.tables.empty()
              ? "\nneither database has a table\n"
              : fmt::format("\n{} of {} equal\n", equal, counted(data.tables.size(), "table is", "tables are")));
}

std::string comparison_json(const pipeline::ComparedData& data) {
  json document = json::array();
  for (const pipeline::ComparedTable& table : data.tables) {
    document.push_back({{"schema", table.schema},
                        {"name", table.name},
                        {"equal", table.equal()},
                        {"source", {{"rowcount", table.source.rows}, {"checksum", table.source.sum.hex()}}},
                        {"target", {{"rowcount", table.target.rows}, {"checksum", table.target.sum.hex()}}}});
    if (!table.equal()) document.back()["result"] = verdict(table);
    if (!table.rows.empty()) document.back()["rows"] = table.rows;
    if (!table.note.empty()) document.back()["note"] = table.note;
  }
  for (const std::string& sequence : data.sequences) {
    document.push_back({{"kind", "sequence"}, {"equal", false}, {"result", sequence}});
  }
  for (const std::string& object : data.large_objects) {
    document.push_back({{"kind", "large object"}, {"equal", false}, {"result", object}});
  }
  return dump(document);
}

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Takes away the lines that both have at their beginning and at their end.
void trim_common(std::vector<std::string>& a, std::vector<std::string>& b) {
  const auto begin = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  a.erase(a.begin(), begin.first);
  b.erase(b.begin(), begin.second);
  const auto end = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  a.erase(end.first.base(), a.end());
  b.erase(end.second.base(), b.end());
}

// What is in one and not in the other, by the longest sequence of lines that both have.
std::string differing_lines(const std::string& source, const std::string& target) {
  std::vector<std::string> a = lines_of(source);
  std::vector<std::string> b = lines_of(target);
  trim_common(a, b);
  // The table below has an entry for each pair of lines.
  constexpr std::size_t kMostPairs = 4'000'000;
  if (a.size() * b.size() > kMostPairs) {
    return fmt::format(
        "  {} on the source and {} on the target: too many to be shown beside each other (--json has both)\n",
        counted(a.size(), "line"), b.size());
  }
  std::vector<std::vector<std::size_t>> common(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = a.size(); i-- > 0;) {
    for (std::size_t j = b.size(); j-- > 0;) {
      common[i][j] = a[i] == b[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  std::string text;
  for (std::size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      ++i;
      ++j;
    } else if (j == b.size() || (i < a.size() && common[i + 1][j] >= common[i][j + 1])) {
      text += "- " + a[i++] + "\n";
    } else {
      text += "+ " + b[j++] + "\n";
    }
  }
  return text;
}

}  // namespace

std::string schema_comparison_text(const pipeline::SchemaComparison& comparison) {
  std::string text;
  for (const pipeline::SchemaDifference& difference : comparison.differences) {
    if (difference.target.empty()) {
      text += fmt::format("{}: missing on the target\n", difference.object);
    } else if (difference.source.empty()) {
      text += fmt::format("{}: only on the target\n", difference.object);
    } else {
      text += fmt::format("{} differs (- source, + target)\n{}", difference.object,
                          differing_lines(difference.source, difference.target));
    }
  }
  for (const pipeline::SchemaDifference& undecided : comparison.undecided) {
    text += fmt::format("{}: printed in other words by the two servers; whether it is the same cannot be told\n",
                        undecided.object);
  }
  if (comparison.equal() && comparison.undecided.empty()) return text + "the definitions are equal\n";
  if (comparison.equal()) {
    return text + fmt::format("no difference was found, but of {} it cannot be told\n",
                              counted(comparison.undecided.size(), "definition"));
  }
  return text + fmt::format("\n{}\n", counted(comparison.differences.size(), "object differs", "objects differ"));
}

std::string schema_comparison_json(const pipeline::SchemaComparison& comparison) {
  const auto list = [](const std::vector<pipeline::SchemaDifference>& differences) {
    json array = json::array();
    for (const pipeline::SchemaDifference& difference : differences) {
      array.push_back({{"object", difference.object}, {"source", difference.source}, {"target", difference.target}});
    }
    return array;
  };
  return dump(json{{"equal", comparison.equal()},
                   {"differences", list(comparison.differences)},
                   {"undecided", list(comparison.undecided)}});
}

}  // namespace pgsluice::tools
