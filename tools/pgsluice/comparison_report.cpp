#include "tools/pgsluice/comparison_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/counted.h"
#include "base/printable.h"
#include "base/text_diff.h"
#include "pg/quote.h"
#include "tools/pgsluice/report_format.h"
#include "tools/pgsluice/text_table.h"

namespace pgsluice::tools {

namespace {

using nlohmann::json;
using Align = TextTable::Align;

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

std::string difference_text(const std::string& source, const std::string& target) {
  if (const auto lines = differing_lines(source, target)) return *lines;
  const auto lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
  return fmt::format(
      "  {} lines on the source and {} on the target: too many to be shown beside each other"
      " (--json has both)\n",
      lines(source), lines(target));
}

}  // namespace

std::string schema_comparison_text(const pipeline::SchemaComparison& comparison) {
  std::string text;
  for (const pipeline::SchemaDifference& difference : comparison.differences) {
    if (difference.target.empty()) {
      text += fmt::format("{}: missing on the target\n", printable(difference.object, LineEnds::kEscaped));
    } else if (difference.source.empty()) {
      text += fmt::format("{}: only on the target\n", printable(difference.object, LineEnds::kEscaped));
    } else {
      text += fmt::format("{} differs (- source, + target)\n{}", printable(difference.object, LineEnds::kEscaped),
                          difference_text(difference.source, difference.target));
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
