#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <thread>
#include <utility>

#include "base/digest.h"
#include "base/file_descriptor.h"
#include "pg/snapshot.h"
#include "pgsluice/archive.h"
#include "pgsluice/error.h"
#include "pgsluice/version.h"
#include "pipeline/archive/archive_folder.h"
#include "pipeline/archive/rows_archiver.h"
#include "pipeline/plan/options.h"
#include "pipeline/plan/plan.h"
#include "pipeline/prepare/definitions.h"
#include "pipeline/prepare/key_spans.h"
#include "pipeline/prepare/roles.h"
#include "pipeline/prepare/sessions.h"
#include "pipeline/prepare/source_checks.h"
#include "pipeline/prepare/source_snapshot.h"
#include "schema/archive/toc_writer.h"
#include "schema/selection/definitions_file.h"
#include "store/data_entries.h"
#include "store/data_file.h"
#include "store/manifest.h"

namespace pgsluice::pipeline {

namespace {

// The options by which definitions are read.
ResolvedOptions reading_options(const ArchiveOptions& given) {
  ResolvedOptions options;
  options.source = given.source;
  options.database = given.database;
  options.filters = given.filters;
  options.extensions = given.extensions;
  options.large_objects = given.large_objects;
  options.table_jobs = given.table_jobs;
  options.split = given.split;
  options.pg_bindir = given.pg_bindir;
  options.snapshot = given.snapshot;
  options.work_folder = given.folder;  // which holds nothing of an earlier run
  return options;
}

void check_options(const ArchiveOptions& options) {
  check_jobs("table jobs", options.table_jobs);
  if (options.compress_jobs != 0) check_jobs("compressing jobs", options.compress_jobs);
  if (options.folder.empty()) throw Error(ErrorKind::kUsage, "no folder was given for the archive");
}

std::string now_in_utc() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

// Every table that is to be copied has an entry for its rows, and every entry a table: else rows would be missing, or
// pg_restore would look for a file in vain.
void check_entries(const std::vector<TablePlan>& tables, const store::DataEntries& entries) {
  std::set<schema::Oid> planned;
  for (const TablePlan& table : tables) {
    planned.insert(table.table->oid);
    if (entries.tables.contains(table.table->oid)) continue;
    throw Error(ErrorKind::kInternal, "pg_dump's archive has no entry for its rows")
        .object("table " + table.table->display());
  }
  for (const auto& [oid, entry] : entries.tables) {
    if (planned.contains(oid)) continue;
    throw Error(ErrorKind::kInternal, "pg_dump's archive has rows of a table that is not read").object(entry->tag);
  }
}

store::SmallFile write_small_file(const std::filesystem::path& folder, std::string name, std::string_view content) {
  write_file(folder / name, content);
  return {.name = std::move(name), .digest = digest_of(content)};
}

std::string list_of(const std::vector<schema::Oid>& large_objects) {
  std::string list;
  for (const schema::Oid object : large_objects)
    list += fmt::format("{} {}\n", object, store::large_object_file(object));
  return list;
}

}  // namespace

struct ArchiveCreation::Implementation {
  ArchiveOptions options;
  Log log;
  CancelSource cancel;

  explicit Implementation(const CancelToken& parent) : cancel(parent) {}

  ArchivingProgress progress;
  std::string roles;  ///< of the source's server, if they are wanted
  std::atomic<const char*> phase{"connecting"};
  SteadyClock::time_point began = SteadyClock::now();

  ArchiveSummary run();
  DataToArchive prepare(pg::Connection& source, const Definitions& definitions, const pg::SnapshotMark& mark,
                        const ResolvedOptions& resolved);
  ArchiveSummary finish(const Definitions& definitions, const pg::SnapshotMark& mark, const DataToArchive& data,
                        RowsArchiver& archiver);
};

DataToArchive ArchiveCreation::Implementation::prepare(pg::Connection& source, const Definitions& definitions,
                                                       const pg::SnapshotMark& mark, const ResolvedOptions& resolved) {
  TablePlanInput input{.source = definitions.catalog,
                       .target_version = definitions.catalog.server_version,
                       .table_jobs = resolved.table_jobs,
                       .format = copy::FormatWish::kText,
                       .split = resolved.split,
                       .key_spans = {}};
  input.key_spans = read_key_spans(source, input, log);
  const int processors = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  DataToArchive data{
      .source = source.pinned_conninfo(),
      .mark = mark,
      .encoding = definitions.catalog.database.encoding,
      .money_locale = std::string(
          source.execute("SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'lc_monetary'")[0].text(0)),
      .tables = plan_tables(input),
      .entries = store::find_data_entries(definitions.archive),
      .version = definitions.archive.version,
      .folder = options.folder,
      .compression = store::parse_compression(options.compression),
      .table_jobs = resolved.table_jobs,
      .compress_jobs = options.compress_jobs > 0 ? options.compress_jobs : processors};
  check_entries(data.tables, data.entries);
  check_wide_rows(source, data.tables, definitions.catalog.types);
  return data;
}

ArchiveSummary ArchiveCreation::Implementation::finish(const Definitions& definitions, const pg::SnapshotMark& mark,
                                                       const DataToArchive& data, RowsArchiver& archiver) {
  phase = "completing the archive";
  const std::string toc = schema::make_directory_toc(
      {.written = definitions.archive_bytes,
       .archive = definitions.archive,
       .compression = data.compression.algorithm,
       .file_of = [&](const schema::TocEntry& entry) { return store::data_file_of(entry, data.version); }});
  std::vector<store::SmallFile> small_files = {write_small_file(options.folder, store::kTocFile, toc)};
  for (const store::LargeObjectsEntry& listed : data.entries.large_objects) {
    small_files.push_back(
        write_small_file(options.folder, store::data_file_of(*listed.entry, data.version), list_of(listed.objects)));
  }
  const std::string catalog = schema::definitions_text({.catalog = definitions.catalog,
                                                        .selection = definitions.selection,
                                                        .filters = options.filters.to_text(),
                                                        .system_identifier = mark.snapshot.system_identifier});
  small_files.push_back(write_small_file(options.folder, store::kCatalogFile, catalog));
  if (options.roles) small_files.push_back(write_small_file(options.folder, store::kRolesFile, roles));
  // The manifest says that all of it is there.
  store::sync_folder(options.folder);
  store::Manifest manifest{.written_by = std::string(version()),
                           .created = now_in_utc(),
                           .database = definitions.catalog.database.name,
                           .encoding = data.encoding,
                           .server_version = definitions.archive.server_version,
                           .pg_dump_version = definitions.archive.dump_version,
                           .system_identifier = mark.snapshot.system_identifier,
                           .snapshot = mark.snapshot.text,
                           .money_locale = data.money_locale,
                           .log_position = mark.log_position,
                           .compression = data.compression,
                           .small_files = std::move(small_files),
                           .tables = archiver.take_tables(),
                           .large_objects = archiver.take_large_objects()};
  std::sort(manifest.tables.begin(), manifest.tables.end(),
            [](const auto& a, const auto& b) { return a.dump_id < b.dump_id; });
  std::sort(manifest.large_objects.begin(), manifest.large_objects.end(),
            [](const auto& a, const auto& b) { return a.oid < b.oid; });
  store::write_manifest(manifest, options.folder);
  ArchiveSummary summary{.entries = definitions.archive.entries.size(),
                         .tables = manifest.tables.size(),
                         .large_objects = manifest.large_objects.size(),
                         .snapshot = mark.snapshot.text,
                         .elapsed = SteadyClock::now() - began,
                         .warnings = definitions.warnings,
                         .skipped = omitted_objects(definitions.selection)};
  const auto add = [&](const auto& archived) {
    summary.content.count += static_cast<std::int64_t>(archived.content);
    summary.stored.count += static_cast<std::int64_t>(archived.file.size);
  };
  for (const store::ArchivedTable& table : manifest.tables) {
    add(table);
    summary.rows += table.rows.rows;
  }
  for (const store::ArchivedLargeObject& object : manifest.large_objects) add(object);
  return summary;
}

ArchiveSummary ArchiveCreation::Implementation::run() {
  check_options(options);
  store::parse_compression(options.compression);
  const ResolvedOptions resolved = reading_options(options);
  const CancelToken token = cancel.token();
  pg::Connection source = open_reader(conninfo_of(resolved, Side::kSource), "catalog", "", log, token);
  log.info(fmt::format("source: PostgreSQL {} at {}, database {}", source.server_version_text(), source.address(),
                       source.database()));
  ArchiveFolder folder(options.folder);
  if (options.roles) {
    roles = read_roles(
        {.servers = resolved, .work_folder = {}, .pg_bindir = options.pg_bindir, .passwords = options.role_passwords},
        log, token);
  }
  pg::Connection holder = open_session(source.pinned_conninfo(), "snapshot", server_encoding(source), log, token);
  const pg::SnapshotMark mark = hold_snapshot(holder, resolved, std::nullopt, log);
  pg::import_snapshot(source, mark.snapshot);
  phase = "reading the definitions";
  const Definitions definitions = read_definitions(source,
                                                   {.snapshot = mark.snapshot.name,
                                                    .encoding = server_encoding(source),
                                                    .extensions_on_target = {},
                                                    .data_entries = true},
                                                   resolved, log, token);
  phase = "locking the tables";
  schema::lock_tables(holder, tables_to_copy(definitions.catalog));
  const DataToArchive data = prepare(source, definitions, mark, resolved);
  phase = "copying";
  RowsArchiver archiver(data, progress, log, token);
  archiver.run();
  ArchiveSummary summary = finish(definitions, mark, data, archiver);
  folder.keep();
  return summary;
}

ArchiveCreation::ArchiveCreation(ArchiveOptions options, LogSink& sink, const CancelToken& parent)
    : implementation_(new Implementation(parent)) {
  implementation_->options = std::move(options);
  implementation_->log = Log(sink);
}

ArchiveCreation::~ArchiveCreation() = default;

ArchiveSummary ArchiveCreation::run() { return implementation_->run(); }

ProgressSnapshot ArchiveCreation::progress() const {
  const Implementation& self = *implementation_;
  ProgressSnapshot snapshot;
  snapshot.phase = self.phase;
  snapshot.elapsed = SteadyClock::now() - self.began;
  snapshot.tables_done = self.progress.tables_done;
  snapshot.tables_total = self.progress.tables_total;
  snapshot.tasks_done = self.progress.files_done;
  snapshot.tasks_total = self.progress.files_total;
  snapshot.rows = self.progress.rows;
  snapshot.copied = {self.progress.bytes};
  const std::int64_t total = self.progress.size_total;
  const std::int64_t done = self.progress.size_done;
  snapshot.pending = {total - done};
  if (total > 0) snapshot.fraction = static_cast<double>(done) / static_cast<double>(total);
  return snapshot;
}

void ArchiveCreation::cancel() noexcept { implementation_->cancel.cancel(); }

}  // namespace pgsluice::pipeline
