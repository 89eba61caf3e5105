#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <set>
#include <system_error>
#include <utility>

#include "base/duration.h"
#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "pg/quote.h"
#include "pg/snapshot.h"
#include "pgsluice/server_archive.h"
#include "pgsluice/version.h"
#include "pipeline/prepare/database_sink.h"
#include "pipeline/prepare/sessions.h"
#include "schema/catalog/databases.h"
#include "store/data_file.h"
#include "store/manifest.h"
#include "store/server_manifest.h"

namespace pgsluice::pipeline {

namespace fs = std::filesystem;

bool ServerArchiveSummary::complete() const {
  return std::none_of(databases.begin(), databases.end(),
                      [](const DatabaseArchived& database) { return database.error.has_value(); });
}

struct ServerArchiveCreation::Implementation {
  const ArchiveOptions options;
  const std::vector<std::string> excluded;
  std::vector<std::string> warnings = {};
  LogSink& sink;
  const Log log;
  CancelSource cancel;
  const SteadyClock::time_point began = SteadyClock::now();

  mutable Mutex mutex = {};
  std::vector<schema::Database> databases GUARDED_BY(mutex) = {};
  /// How many of them have come to their end, and the archive that is being made.
  std::size_t ended GUARDED_BY(mutex) = 0;
  std::unique_ptr<ArchiveCreation> running GUARDED_BY(mutex) = {};
  ProgressSnapshot of_ended GUARDED_BY(mutex) = {};

  Implementation(ArchiveOptions wanted, std::vector<std::string> without, LogSink& to, const CancelToken& parent)
      : options(std::move(wanted)), excluded(std::move(without)), sink(to), log(to), cancel(parent) {}

  store::ServerManifest read_server();
  std::vector<schema::Database> wanted() const;
  ArchiveOptions options_of(const std::string& database) const;
  void make_folder() const;
  bool is_left_out(const schema::Database& database);
  DatabaseArchived archive(const schema::Database& database);
  void warn(const std::string& warning);
  void warn_of_other_folders(const std::vector<std::string>& listed);
  void end(const ArchiveSummary& summary);
};

void ServerArchiveCreation::Implementation::warn(const std::string& warning) {
  log.warning(warning);
  warnings.push_back(warning);
}

// pg_dumpall leaves out those that take no connections, too.
bool ServerArchiveCreation::Implementation::is_left_out(const schema::Database& database) {
  const std::string name = pg::display_name("", database.name);
  if (std::find(excluded.begin(), excluded.end(), database.name) != excluded.end()) return true;
  if (database.half_dropped) {
    warn(fmt::format("database {}: left out, since a DROP DATABASE of it was interrupted", name));
  } else if (!database.allows_connections) {
    warn(fmt::format("database {}: left out, since it takes no connections (ALLOW_CONNECTIONS false)", name));
  }
  return database.half_dropped || !database.allows_connections;
}

// Databases that were renamed or dropped since an earlier attempt.
void ServerArchiveCreation::Implementation::warn_of_other_folders(const std::vector<std::string>& listed) {
  std::set<std::string> expected;
  for (const std::string& database : listed) expected.insert(store::folder_of_database(database));
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(options.folder, failed)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory(failed) && !expected.contains(name)) {
      warn(fmt::format("{} is not of these databases: it is not part of the archive", entry.path().string()));
    }
  }
}

// The databases of the server, and what a list of them says of it.
store::ServerManifest ServerArchiveCreation::Implementation::read_server() {
  pg::Connection source =
      open_reader(conninfo_of_server(options.source, Side::kSource), "databases", "UTF8", log, cancel.token());
  std::vector<schema::Database> all = schema::read_databases(source);
  std::erase_if(all, [&](const schema::Database& database) { return is_left_out(database); });
  store::ServerManifest manifest{.written_by = std::string(version()),
                                 .created = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))),
                                 .server_version = source.server_version_text(),
                                 .system_identifier = pg::system_identifier(source),
                                 .databases = {}};
  for (const schema::Database& database : all) manifest.databases.push_back(database.name);
  const MutexLock lock(mutex);
  databases = std::move(all);
  return manifest;
}

std::vector<schema::Database> ServerArchiveCreation::Implementation::wanted() const {
  const MutexLock lock(mutex);
  return databases;
}

ArchiveOptions ServerArchiveCreation::Implementation::options_of(const std::string& database) const {
  ArchiveOptions of = options;
  of.database = database;
  of.folder = options.folder / store::folder_of_database(database);
  return of;
}

// One that holds archives of an earlier attempt is for a resume only.
void ServerArchiveCreation::Implementation::make_folder() const {
  if (::mkdir(options.folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    throw Error(ErrorKind::kState, system_error("cannot make " + options.folder.string(), errno).what());
  }
  std::error_code failed;
  const fs::directory_iterator first(options.folder, failed);
  if (failed)
    throw Error(ErrorKind::kState, fmt::format("cannot read {}: {}", options.folder.string(), failed.message()));
  if (first == fs::directory_iterator() || options.resume) {
    fs::permissions(options.folder, fs::perms::owner_all, failed);
    return;
  }
  throw Error(ErrorKind::kState,
              fmt::format("{} is not empty: it holds {}", options.folder.string(), first->path().filename().string()))
      .hint("give a new folder")
      .remedy(Remedy::kResume);
}

DatabaseArchived ServerArchiveCreation::Implementation::archive(const schema::Database& database) {
  const ArchiveOptions of = options_of(database.name);
  DatabaseArchived result{.database = database.name, .folder = of.folder, .summary = {}, .error = {}};
  DatabaseSink named(database.name, sink);
  try {
    if (!database.may_connect) {
      throw Error(ErrorKind::kState, "it takes no connections, or not of this user")
          .on(Side::kSource)
          .hint("ALTER DATABASE … ALLOW_CONNECTIONS true, or GRANT CONNECT");
    }
    ArchiveCreation* creation = nullptr;
    {
      const MutexLock lock(mutex);
      running = std::make_unique<ArchiveCreation>(of, named, cancel.token());
      creation = running.get();
    }
    result.summary = creation->run();
    log.info(fmt::format("database {}: complete", pg::display_name("", database.name)));
  } catch (const Error& error) {
    result.error = error;
    if (error.kind() != ErrorKind::kCancelled) Log(named).error(error);
  }
  end(result.summary);
  return result;
}

void ServerArchiveCreation::Implementation::end(const ArchiveSummary& summary) {
  const MutexLock lock(mutex);
  running.reset();
  ++ended;
  of_ended.rows += summary.rows;
  of_ended.copied.count += summary.content.count;
  of_ended.tables_done += summary.tables;
  of_ended.tables_total += summary.tables;
}

ServerArchiveCreation::ServerArchiveCreation(ArchiveOptions options, LogSink& sink, const CancelToken& parent,
                                             std::vector<std::string> excluded) {
  if (!options.snapshot.empty()) {
    throw Error(ErrorKind::kUsage, "a snapshot belongs to one database: it cannot be given for all databases");
  }
  if (options.hand_on) {
    throw Error(ErrorKind::kUsage, "only the files of one database's archive can be handed on");
  }
  implementation_ = std::make_unique<Implementation>(std::move(options), std::move(excluded), sink, parent);
}

ServerArchiveCreation::~ServerArchiveCreation() = default;

std::vector<ArchivePlan> ServerArchiveCreation::plan() {
  Implementation& self = *implementation_;
  std::vector<ArchivePlan> plans;
  for (const std::string& database : self.read_server().databases) {
    DatabaseSink named(database, self.sink);
    plans.push_back(ArchiveCreation(self.options_of(database), named, self.cancel.token()).plan());
  }
  return plans;
}

ServerArchiveSummary ServerArchiveCreation::run() {
  Implementation& self = *implementation_;
  if (self.options.folder.empty()) throw Error(ErrorKind::kUsage, "no folder was given for the archives");
  const store::ServerManifest manifest = self.read_server();
  self.make_folder();
  const FileLock lock(self.options.folder / store::kLockFile,
                      "another process makes archives in " + self.options.folder.string());
  ServerArchiveSummary summary;
  for (const schema::Database& database : self.wanted()) {
    summary.databases.push_back(self.archive(database));
    self.cancel.token().throw_if_cancelled();
  }
  summary.elapsed = SteadyClock::now() - self.began;
  self.warn_of_other_folders(manifest.databases);
  summary.warnings = self.warnings;
  if (!summary.complete()) return summary;
  store::write_server_manifest(manifest, self.options.folder);
  std::error_code ignored;
  fs::remove(self.options.folder / store::kLockFile, ignored);
  store::sync_folder(self.options.folder);
  return summary;
}

ProgressSnapshot ServerArchiveCreation::progress() const {
  const Implementation& self = *implementation_;
  const MutexLock lock(self.mutex);
  ProgressSnapshot all = self.of_ended;
  all.elapsed = SteadyClock::now() - self.began;
  all.phase = "connecting";
  double done = 0;
  double total = 0;
  for (std::size_t i = 0; i < self.databases.size(); ++i) {
    const double size = static_cast<double>(self.databases[i].size.count) + 1;
    total += size;
    if (i < self.ended) done += size;
  }
  if (self.running) {
    const ProgressSnapshot one = self.running->progress();
    all.phase = fmt::format("{} ({} of {}): {}", pg::display_name("", self.databases[self.ended].name), self.ended + 1,
                            self.databases.size(), one.phase);
    all.rows += one.rows;
    all.copied.count += one.copied.count;
    all.tables_done += one.tables_done;
    all.tables_total += one.tables_total;
    all.pending = one.pending;
    done += (static_cast<double>(self.databases[self.ended].size.count) + 1) * one.fraction;
  }
  if (total > 0) all.fraction = done / total;
  return all;
}

void ServerArchiveCreation::cancel() noexcept { implementation_->cancel.cancel(); }

}  // namespace pgsluice::pipeline
