#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <sstream>

#include "pgsluice/error.h"
#include "pipeline/prepare/definitions.h"
#include "pipeline/prepare/run_folder.h"
#include "schema/selection/definitions_file.h"
#include "tools/pgsluice/clone_arguments.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/option_values.h"
#include "tools/pgsluice/running.h"

namespace pgsluice::tools {

namespace {

using pipeline::SettingGroup;

using schema::TocEntry;

bool is_left_out(const TocEntry& entry, const pipeline::CloneOptions& options) {
  const bool extension = !options.extensions && entry.kind == schema::EntryKind::kExtension;
  return extension || !schema::is_restored(entry, options.restore);
}

// As pg_restore --list writes them, with a semicolon before what is left out.
std::string archive_list(const schema::Archive& archive, const schema::Archive& kept) {
  std::set<int> left;
  for (const schema::TocEntry& entry : kept.entries) left.insert(entry.dump_id);
  std::string text = fmt::format(";\n; Archive of the database {}\n;     server {}, pg_dump {}\n;\n", archive.database,
                                 archive.server_version, archive.dump_version);
  for (const schema::TocEntry& entry : archive.entries) {
    const std::string schema = entry.schema.value_or("");
    text += fmt::format("{}{}; {} {} {} {} {} {}\n", left.contains(entry.dump_id) ? "" : ";", entry.dump_id,
                        entry.catalog_id.table, entry.catalog_id.oid, entry.kind.words(), schema.empty() ? "-" : schema,
                        entry.tag, entry.owner);
  }
  return text;
}

// Kinds of more than one word that options leave out; of all others the first word is enough.
constexpr std::array kLongKinds = {schema::EntryKind::kDefaultAcl, schema::EntryKind::kSecurityLabel};

/// A line of a list: "215; 1259 16386 TABLE public t owner". Nothing for a comment.
std::optional<TocEntry> parse_line(const std::string& line) {
  TocEntry entry;
  const char* const end = line.data() + line.size();
  const auto [behind_id, error] = std::from_chars(line.data(), end, entry.dump_id);
  if (error != std::errc() || behind_id == end || *behind_id != ';') return std::nullopt;
  std::istringstream words(std::string(behind_id + 1, end));
  words >> entry.catalog_id.table >> entry.catalog_id.oid >> std::ws;
  std::string rest;
  std::getline(words, rest);
  entry.kind = schema::EntryKind(rest.substr(0, rest.find(' ')));
  for (const schema::EntryKind kind : kLongKinds) {
    if (rest.starts_with(kind.words())) entry.kind = kind;
  }
  entry.section = schema::Section::kPreData;
  const std::size_t tag = rest.find(' ', entry.kind.words().size() + 1);  // after the schema
  if (tag != std::string::npos) entry.tag = rest.substr(tag + 1, rest.rfind(' ') - tag - 1);
  return entry;
}

// Puts ';' before entries that the filter of `dump schema` or the options leave out.
std::string marked_list(const std::string& text, const pipeline::CloneOptions& options) {
  schema::Selection selection;
  const std::filesystem::path catalog = pipeline::RunFolder(options.work_folder).catalog_file();
  if (std::filesystem::exists(catalog)) selection = schema::read_definitions_file(catalog).selection;
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::optional<TocEntry> entry = parse_line(line);
    const bool left_out = entry && (!selection.keeps(entry->catalog_id) || is_left_out(*entry, options));
    result += (left_out ? ";" : "") + line + "\n";
  }
  return result;
}

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in.is_open() || std::filesystem::is_directory(file)) {
    throw Error(ErrorKind::kConfig, fmt::format("cannot read {}", file.string()));
  }
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string list_of_work_folder(const pipeline::CloneOptions& options) {
  const schema::Archive archive = schema::read_archive(pipeline::RunFolder(options.work_folder).archive_file());
  schema::Archive kept = pipeline::read_dumped_schema(pipeline::ResolvedOptions(options)).archive;
  std::erase_if(kept.entries, [&](const TocEntry& entry) { return is_left_out(entry, options); });
  return archive_list(archive, kept);
}

std::string list_of(const std::string& file, const pipeline::CloneOptions& options) {
  const pipeline::RunFolder folder(options.work_folder);
  if (file.empty() && !std::filesystem::exists(folder.archive_file())) {
    throw Error(ErrorKind::kState, fmt::format("there is no archive in {}", folder.schema_folder().string()))
        .hint("run 'pgsluice dump schema' into this work directory (--dir), or name a file");
  }
  if (file.empty()) return list_of_work_folder(options);
  if (!options.filters.empty()) {
    throw Error(ErrorKind::kUsage, "a filter is applied to what the source's catalog says, which a file has not")
        .hint("give the filter to 'pgsluice dump schema', then leave FILE away");
  }
  const std::string text = read_text(file);
  constexpr std::string_view kArchive = "PGDMP";
  if (!text.starts_with(kArchive)) return marked_list(text, options);
  const schema::Archive archive = schema::read_archive(file);
  schema::Archive kept = archive;
  std::erase_if(kept.entries, [&](const TocEntry& entry) { return is_left_out(entry, options); });
  return archive_list(archive, kept);
}

}  // namespace

void add_parse_list_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.get_subcommand("restore")->add_subcommand(
      "parse-list", "Print what an archive holds; what is left out after ';'");
  command->footer(
      "Examples:\n"
      "  pgsluice restore parse-list --dir /var/tmp/shop\n"
      "  pgsluice restore parse-list shop.dump      an archive of pg_dump -Fc\n"
      "  pgsluice restore parse-list shop.list      a list of pg_restore --list\n\n"
      "Exit codes: 0 complete, 1 arguments, 2 configuration, 3 work directory.");
  auto args = std::make_shared<CloneArguments>();
  auto file = std::make_shared<std::string>();
  command->add_option("file", *file, "An archive or a list; by default the archive of the work directory");
  for (const SettingGroup group : {SettingGroup::kConnections, SettingGroup::kRuns, SettingGroup::kOmissions}) {
    add_settings(*command, *args, group);
  }
  add_log_options(*command, args->log);
  take_without_effect(*command, {}, {"--table-jobs", "--jobs"});
  command->callback([args, file, &exit_code] {
    exit_code = run_reporting(args->log, [&](Console&) {
      std::fputs(list_of(*file, clone_options(*args)).c_str(), stdout);
      return kExitSuccess;
    });
  });
}

}  // namespace pgsluice::tools
