#include "pipeline/archive/begun_archive.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/digest.h"
#include "pgsluice/error.h"
#include "pipeline/prepare/run_record.h"
#include "pipeline/prepare/source_changes.h"
#include "store/compression.h"

namespace pgsluice::pipeline {

namespace {

Digest digest_of_definitions(const schema::Archive& archive) {
  Digester digester;
  const auto add = [&](std::string_view text) { digester.add(fmt::format("{} {}\n", text.size(), text)); };
  add(archive.server_version);
  for (const schema::TocEntry& entry : archive.entries) {
    digester.add(fmt::format("{} {}\n", entry.dump_id, entry.has_data));
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

ArchiveRun describe_run(const ArchiveOptions& options, const pg::SnapshotMark& mark, const schema::Archive& archive) {
  const std::string rules = options.filters.to_text();
  return {.mark = mark,
          .options = {{"compress", store::parse_compression(options.compression).text()},
                      {"filters", options.filters.empty() ? "none" : digest_of(rules).hex()},
                      {"extensions", yes_or_no(options.extensions)},
                      {"large objects", yes_or_no(options.large_objects)}},
          .definitions = digest_of_definitions(archive).hex()};
}

void require_same_rows(const ArchiveRun& earlier, const ArchiveRun& now, const copy::LedgerContents& done,
                       pg::Connection& source, const schema::Catalog& catalog, const Log& log) {
  for (const auto& [option, value] : now.options) {
    const auto before = earlier.options.find(option);
    if (before != earlier.options.end() && before->second == value) continue;
    const std::string was = before == earlier.options.end() ? "unknown" : before->second;
    throw Error(ErrorKind::kState, option == "filters" ? "the archive was begun with another filter"
                                                       : fmt::format("the archive was begun with other options: {} was "
                                                                     "{}, and is {}",
                                                                     option, was, value))
        .hint("continue with the options that it was begun with, or remove its folder and begin again");
  }
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

}  // namespace pgsluice::pipeline
