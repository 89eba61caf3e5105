#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <future>
#include <thread>
#include <utility>

#include "base/counted.h"
#include "base/digest.h"
#include "base/file_descriptor.h"
#include "base/wait.h"
#include "pg/snapshot.h"
#include "pgsluice/archive.h"
#include "pgsluice/error.h"
#include "pgsluice/version.h"
#include "pipeline/archive/archive_folder.h"
#include "pipeline/archive/begun_archive.h"
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
  store::parse_compression(options.compression);
  check_pace({.max_rate = options.max_rate});
  if (options.resume && options.hand_on) {
    throw Error(ErrorKind::kUsage, "an archive whose files are handed on cannot be resumed");
  }
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

// Throws Error(kSystem): the folder was fit to be written into when the archive was begun.
store::SmallFile write_small_file(const std::filesystem::path& folder, std::string name, std::string_view content) {
  try {
    write_file(folder / name, content);
  } catch (const Error& error) {
    throw Error(ErrorKind::kSystem, error.what()).hint(error.hint());
  }
  return {.name = std::move(name), .digest = digest_of(content)};
}

std::string list_of(const std::vector<schema::Oid>& large_objects) {
  std::string list;
  for (const schema::Oid object : large_objects)
    list += fmt::format("{} {}\n", object, store::large_object_file(object));
  return list;
}

// The source, while a snapshot of it is read.
struct SourceInSnapshot {
  pg::Connection session;
  pg::Connection holder;  ///< keeps the snapshot, and the tables' locks
  pg::SnapshotMark mark;
  Definitions definitions;
};

}  // namespace

struct ArchiveCreation::Implementation {
  ArchiveOptions options;
  Log log;
  CancelSource cancel;
  Throttle throttle;

  explicit Implementation(const CancelToken& parent) : cancel(parent) {}

  ArchivingProgress progress;
  std::string roles;  ///< of the source's server, if they are wanted
  std::atomic<const char*> phase{"connecting"};
  SteadyClock::time_point began = SteadyClock::now();
  bool has_reached_source = false;
  std::atomic<bool> is_left{false};

  ArchivePlan plan();
  ArchiveSummary run();
  ArchiveSummary run_once();
  pg::Connection open_source(const ResolvedOptions& resolved);
  SourceInSnapshot read_source(pg::Connection source, const ResolvedOptions& resolved);
  DataToArchive prepare(pg::Connection& source, const Definitions& definitions, const pg::SnapshotMark& mark,
                        const ResolvedOptions& resolved);
  ArchiveSummary look_at_complete_one();
  store::JournalContents go_on(const store::JournalContents& begun, const ArchiveRun& run, const DataToArchive& data,
                               pg::Connection& source, const schema::Catalog& catalog) const;
  ArchiveSummary write(ArchiveFolder& folder, SourceInSnapshot& source, const ResolvedOptions& resolved);
  ArchiveSummary finish(const Definitions& definitions, const pg::SnapshotMark& mark, const DataToArchive& data,
                        RowsArchiver& archiver);
  ArchiveSummary summarize(const store::Manifest& manifest, std::size_t entries) const;
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
      .compress_jobs = options.compress_jobs > 0 ? options.compress_jobs : processors,
      .throttle = &throttle,
      .hand_on = options.hand_on};
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
  if (!options.hand_on) store::sync_folder(options.folder);
  for (const store::SmallFile& file : small_files) hand_on(data, file.name);
  store::Manifest manifest{.written_by = std::string(version()),
                           .created = now_in_utc(),
                           .database = definitions.catalog.database.name,
                           .encoding = data.encoding,
                           .server_version = definitions.archive.server_version,
                           .pg_dump_version = definitions.archive.dump_version,
                           .system_identifier = mark.snapshot.system_identifier,
                           .database_oid = mark.database,
                           .options = deciding_options(options),
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
  hand_on(data, store::kManifestFile);
  ArchiveSummary summary = summarize(manifest, definitions.archive.entries.size());
  summary.warnings = definitions.warnings;
  summary.skipped = omitted_objects(definitions.selection);
  return summary;
}

ArchiveSummary ArchiveCreation::Implementation::summarize(const store::Manifest& manifest, std::size_t entries) const {
  ArchiveSummary summary{.entries = entries,
                         .tables = manifest.tables.size(),
                         .large_objects = manifest.large_objects.size(),
                         .snapshot = manifest.snapshot,
                         .elapsed = SteadyClock::now() - began,
                         .warnings = {},
                         .skipped = {}};
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

// Returns what an earlier attempt has written, as far as it is of use now. Nothing of it is touched unless it may go
// on.
store::JournalContents ArchiveCreation::Implementation::go_on(const store::JournalContents& begun,
                                                              const ArchiveRun& run, const DataToArchive& data,
                                                              pg::Connection& source,
                                                              const schema::Catalog& catalog) const {
  store::JournalContents done = still_of_use(begun, data.tables);
  copy::LedgerContents loaded;
  for (const store::JournaledTable& table : done.tables) {
    loaded.parts.push_back(
        {.relation = table.table, .bounds = {}, .statement = "", .loaded = {.rows = table.archived.rows.rows}});
  }
  for (const store::JournaledPart& part : done.parts) {
    loaded.parts.push_back(
        {.relation = part.table, .bounds = part.bounds, .statement = "", .loaded = {.rows = part.rows.rows}});
  }
  ArchiveRun earlier = ArchiveRun::parse(begun.run);
  earlier.mark.log_is_on_disk = earlier.mark.log_is_on_disk || begun.log_is_on_disk;
  require_same_rows(earlier, run, loaded, source, catalog, log);
  std::map<schema::Oid, const TablePlan*> plans;
  for (const TablePlan& plan : data.tables) plans[plan.table->oid] = &plan;
  rename_files(done, options.folder, [&](schema::Oid table) {
    return std::pair(table_file_name(data, *plans.at(table)), data.entries.tables.at(table)->dump_id);
  });
  log.info(fmt::format("going on with an archive that was begun: {} and {} are in it already",
                       counted(done.tables.size(), "table"),
                       counted(done.parts.size(), "part of another", "parts of others")));
  return done;
}

ArchiveSummary ArchiveCreation::Implementation::write(ArchiveFolder& folder, SourceInSnapshot& source,
                                                      const ResolvedOptions& resolved) {
  const Definitions& definitions = source.definitions;
  DataToArchive data = prepare(source.session, definitions, source.mark, resolved);
  const ArchiveRun run = describe_run(options, source.mark, definitions.archive, data.money_locale);
  if (folder.begun()) data.done = go_on(*folder.begun(), run, data, source.session, definitions.catalog);
  folder.tidy(data.done);
  // This snapshot shows the same as what is done.
  data.done.run = run.to_text();
  data.done.log_is_on_disk = false;
  std::optional<store::Journal> journal;
  if (!options.hand_on) journal.emplace(options.folder, data.done);
  try {
    phase = "copying";
    RowsArchiver archiver(data, journal ? &*journal : nullptr, progress, log, cancel.token());
    archiver.run();
    ArchiveSummary summary = finish(definitions, source.mark, data, archiver);
    if (!options.hand_on) folder.keep();
    return summary;
  } catch (...) {
    try {
      if (journal) journal->flush();
    } catch (const Error&) {
      // The disk is full, say, which is told already: what the journal does not name is written again.
    }
    is_left = journal && journal->has_any();
    try {
      if (is_left) folder.leave();
    } catch (const Error& error) {
      log.warning(fmt::format("files that are not complete stay in the folder: {}", error.what()));
    }
    throw;
  }
}

pg::Connection ArchiveCreation::Implementation::open_source(const ResolvedOptions& resolved) {
  pg::Connection source = open_reader(conninfo_of(resolved, Side::kSource), "catalog", "", log, cancel.token());
  has_reached_source = true;
  log.info(fmt::format("source: PostgreSQL {} at {}, database {}", source.server_version_text(), source.address(),
                       source.database()));
  return source;
}

SourceInSnapshot ArchiveCreation::Implementation::read_source(pg::Connection source, const ResolvedOptions& resolved) {
  const CancelToken token = cancel.token();
  pg::Connection holder = open_session(source.pinned_conninfo(), "snapshot", server_encoding(source), log, token);
  const pg::SnapshotMark mark = hold_snapshot(holder, resolved, std::nullopt, log);
  pg::import_snapshot(source, mark.snapshot);
  std::future<pg::SnapshotMark> completed = complete_beside(holder, mark);
  phase = "reading the definitions";
  Definitions definitions = read_definitions(source,
                                             {.snapshot = mark.snapshot.name,
                                              .encoding = server_encoding(source),
                                              .extensions_on_target = {},
                                              .data_entries = true},
                                             resolved, log, token);
  pg::SnapshotMark whole = completed.get();
  phase = "locking the tables";
  schema::lock_tables(holder, tables_to_copy(definitions.catalog));
  return {.session = std::move(source),
          .holder = std::move(holder),
          .mark = std::move(whole),
          .definitions = std::move(definitions)};
}

ArchiveSummary ArchiveCreation::Implementation::run_once() {
  const ResolvedOptions resolved = reading_options(options);
  pg::Connection session = open_source(resolved);
  ArchiveFolder folder(options.folder, options.resume);
  is_left = folder.begun().has_value();
  if (options.roles) {
    roles = read_roles(
        {.servers = resolved, .work_folder = {}, .pg_bindir = options.pg_bindir, .passwords = options.role_passwords},
        log, cancel.token());
  }
  SourceInSnapshot source = read_source(std::move(session), resolved);
  return write(folder, source, resolved);
}

ArchivePlan ArchiveCreation::Implementation::plan() {
  check_options(options);
  const ResolvedOptions resolved = reading_options(options);
  SourceInSnapshot source = read_source(open_source(resolved), resolved);
  const Definitions& definitions = source.definitions;
  const DataToArchive data = prepare(source.session, definitions, source.mark, resolved);
  ArchivePlan plan{.database = definitions.catalog.database.name,
                   .server_version = definitions.archive.server_version,
                   .entries = definitions.archive.entries.size(),
                   .tables = {},
                   .warnings = definitions.warnings,
                   .skipped = omitted_objects(definitions.selection)};
  for (const TablePlan& table : data.tables) {
    plan.tables.push_back({.name = table.table->display(), .size = {}, .parts = table.ranges.size()});
    for (const copy::RowRange& range : table.ranges) plan.tables.back().size += range.size;
  }
  std::stable_sort(plan.tables.begin(), plan.tables.end(),
                   [](const auto& a, const auto& b) { return b.size < a.size; });
  for (const store::LargeObjectsEntry& entry : data.entries.large_objects) plan.large_objects += entry.objects.size();
  return plan;
}

// Finds nothing left to do, provided that it is the archive that is asked for. A process that died after it had written
// the manifest has left its journal.
ArchiveSummary ArchiveCreation::Implementation::look_at_complete_one() {
  const store::Manifest manifest = store::read_manifest(options.folder);
  pg::Connection source = open_source(reading_options(options));
  const pg::SnapshotMark here = pg::identity_of(source);
  const auto differ = [](const std::string& before, const std::string& now) {
    return !before.empty() && !now.empty() && before != now;
  };
  if (differ(manifest.system_identifier, here.snapshot.system_identifier) ||
      differ(manifest.database_oid, here.database)) {
    throw Error(ErrorKind::kState, fmt::format("{} holds the archive of another database ({}, of {})",
                                               options.folder.string(), manifest.database, manifest.created))
        .hint("give another folder, or remove that one");
  }
  require_same_options(manifest.options, deciding_options(options));
  if (std::filesystem::exists(options.folder / store::kJournalFile)) ArchiveFolder(options.folder, true).keep();
  log.info(fmt::format("the archive in {} is complete already", options.folder.string()));
  return summarize(manifest, schema::read_archive(options.folder / store::kTocFile).entries.size());
}

ArchiveSummary ArchiveCreation::Implementation::run() {
  check_options(options);
  std::error_code ignored;
  if (options.resume && std::filesystem::exists(options.folder / store::kManifestFile, ignored)) {
    return look_at_complete_one();
  }
  std::optional<SteadyClock::time_point> lost_since;
  while (true) {
    try {
      progress.reset();
      phase = "connecting";
      return run_once();
    } catch (const Error& error) {
      const bool is_lost = has_reached_source && error.poisons_connection() && error.is_retryable();
      if (!is_lost || options.hand_on) throw;
      const SteadyClock::time_point now = SteadyClock::now();
      // Bytes that have come since are a success.
      if (!lost_since || progress.bytes > 0) lost_since = now;
      if (now - *lost_since >= options.retry_for) throw;
      log.warning(fmt::format("the archive goes on when the source answers again: {}", error.describe()));
      options.resume = true;
    }
    pause(cancel.token(), kPauseBeforeRetry);
  }
}

ArchiveCreation::ArchiveCreation(ArchiveOptions options, LogSink& sink, const CancelToken& parent)
    : implementation_(new Implementation(parent)) {
  implementation_->options = std::move(options);
  implementation_->throttle.set(implementation_->options.max_rate, false);
  implementation_->log = Log(sink);
}

ArchiveCreation::~ArchiveCreation() = default;

ArchiveSummary ArchiveCreation::run() { return implementation_->run(); }

ArchivePlan ArchiveCreation::plan() { return implementation_->plan(); }

bool ArchiveCreation::is_left() const { return implementation_->is_left; }

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
