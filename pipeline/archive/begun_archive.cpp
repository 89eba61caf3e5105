#include "pipeline/archive/begun_archive.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/digest.h"
#include "pgsluice/error.h"
#include "pipeline/prepare/run_record.h"
#include "pipeline/prepare/source_changes.h"
#include "store/compression.h"
#include "store/data_file.h"

namespace pgsluice::pipeline {

namespace {

Digest digest_of_definitions(const schema::Archive& archive) {
  Digester digester;
  const auto add = [&](std::string_view text) { digester.add(fmt::format("{} {}\n", text.size(), text)); };
  add(archive.server_version);
  for (const schema::TocEntry& entry : archive.entries) {
    digester.add(fmt::format("{} {} {}\n", entry.catalog_id.table, entry.catalog_id.oid, entry.has_data));
    add(entry.kind.words());
    add(entry.tag);
    add(entry.schema.value_or(""));
    add(entry.owner);
    add(entry.copy_statement);
    if (entry.kind != schema::EntryKind::kSequenceSet) add(entry.definition);
  }
  return digester.finish();
}

std::string yes_or_no(bool value) { return value ? "yes" : "no"; }

}  // namespace

std::string ArchiveRun::to_text() const {
  return nlohmann::json({{"mark", mark_text(mark)}, {"options", options}, {"definitions", definitions}}).dump();
}

ArchiveRun ArchiveRun::parse(const std::string& text) {
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    return {.mark = parse_mark(json.at("mark").get<std::string>()),
            .options = json.at("options").get<std::map<std::string, std::string>>(),
            .definitions = json.at("definitions").get<std::string>()};
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::kConfig, fmt::format("the archive's journal is damaged: {}", error.what()))
        .hint("remove the archive's folder, and begin again");
  }
}

std::map<std::string, std::string> deciding_options(const ArchiveOptions& options) {
  return {{"compress", store::parse_compression(options.compression).text()},
          {"filters", options.filters.empty() ? "none" : digest_of(options.filters.to_text()).hex()},
          {"extensions", yes_or_no(options.extensions)},
          {"large objects", yes_or_no(options.large_objects)},
          {"roles", yes_or_no(options.roles)}};
}

ArchiveRun describe_run(const ArchiveOptions& options, const pg::SnapshotMark& mark, const schema::Archive& archive,
                        const std::string& money_locale) {
  ArchiveRun run{
      .mark = mark, .options = deciding_options(options), .definitions = digest_of_definitions(archive).hex()};
  // Amounts of money are written in its form.
  run.options["lc_monetary of the source"] = money_locale;
  return run;
}

void require_same_options(const std::map<std::string, std::string>& before,
                          const std::map<std::string, std::string>& now) {
  for (const auto& [option, value] : now) {
    const auto found = before.find(option);
    if (found == before.end() || found->second == value) continue;
    throw Error(ErrorKind::kState, option == "filters"
                                       ? "the archive was begun with another filter"
                                       : fmt::format("the archive was begun with other options: {} was {}, and is {}",
                                                     option, found->second, value))
        .hint("continue with the options that it was begun with, or remove its folder and begin again");
  }
}

void require_same_rows(const ArchiveRun& earlier, const ArchiveRun& now, const copy::LedgerContents& done,
                       pg::Connection& source, const schema::Catalog& catalog, const Log& log) {
  require_same_options(earlier.options, now.options);
  std::optional<std::string> difference = pg::why_not_comparable(earlier.mark, now.mark, catalog.has_unlogged_tables());
  if (!difference && earlier.definitions != now.definitions) {
    difference =
        "definitions or large objects of the database were changed since, or another version of pg_dump reads them";
  }
  if (!difference && !pg::show_the_same(earlier.mark, now.mark)) {
    difference = find_change(source, earlier.mark, now.mark, catalog, done, log);
  }
  if (!difference) return;
  throw Error(ErrorKind::kState, fmt::format("the archive cannot go on as it began: {}", *difference))
      .on(Side::kSource)
      .hint("remove its folder, and begin again");
}

store::JournalContents still_of_use(const store::JournalContents& begun, const std::vector<TablePlan>& tables) {
  std::map<schema::Oid, const TablePlan*> plans;
  for (const TablePlan& plan : tables) plans[plan.table->oid] = &plan;
  store::JournalContents done = begun;
  std::erase_if(done.tables, [&](const store::JournaledTable& table) { return !plans.contains(table.table); });
  std::erase_if(done.parts, [&](const store::JournaledPart& part) {
    const auto found = plans.find(part.table);
    if (found == plans.end() || part.number >= found->second->ranges.size()) return true;
    const TablePlan& plan = *found->second;
    const bool is_of_blocks = part.bounds.by == copy::kByBlocks;
    return part.bounds != plan.ranges[part.number].bounds || (is_of_blocks && part.file_node != plan.table->file_node);
  });
  return done;
}

void rename_files(store::JournalContents& done, const std::filesystem::path& folder,
                  const std::function<std::pair<std::string, int>(schema::Oid table)>& name_and_dump_id) {
  std::vector<std::pair<std::string, std::string>> renamed;
  store::JournalContents unmoved = done;
  std::erase_if(unmoved.tables, [&](const store::JournaledTable& table) {
    return table.archived.file.name != name_and_dump_id(table.table).first;
  });
  std::erase_if(unmoved.parts,
                [&](const store::JournaledPart& part) { return part.file != name_and_dump_id(part.table).first; });
  for (store::JournaledTable& table : done.tables) {
    const auto [name, dump_id] = name_and_dump_id(table.table);
    std::string& file = table.archived.file.name;
    renamed.emplace_back(file, name);
    renamed.emplace_back(store::index_file_of(file).string(), store::index_file_of(name).string());
    file = name;
    table.archived.dump_id = dump_id;
  }
  for (store::JournaledPart& part : done.parts) {
    const std::string name = name_and_dump_id(part.table).first;
    renamed.emplace_back(store::part_file_name(part.file, part.number), store::part_file_name(name, part.number));
    part.file = name;
  }
  std::erase_if(renamed, [&](const auto& names) {
    return names.first == names.second || !std::filesystem::exists(folder / names.first);
  });
  if (renamed.empty()) return;
  // If this process dies here, no line is about a file that has become another table's.
  { store::Journal(folder, unmoved); }
  const auto rename = [&](const std::string& from, const std::string& to) {
    std::error_code failed;
    std::filesystem::rename(folder / from, folder / to, failed);
    if (!failed) return;
    throw Error(ErrorKind::kSystem, fmt::format("cannot rename {}: {}", (folder / from).string(), failed.message()));
  };
  // By way of other names: one may have that of another.
  for (const auto& [from, to] : renamed) rename(from, to + ".new");
  for (const auto& [from, to] : renamed) rename(to + ".new", to);
}

}  // namespace pgsluice::pipeline
