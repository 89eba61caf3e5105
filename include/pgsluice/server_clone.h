#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pgsluice/clone.h"
#include "pgsluice/database.h"
#include "pgsluice/log.h"

namespace pgsluice::pipeline {

/// A database of the source, and how the target stands to it.
struct PlannedDatabase {
  schema::Database database;
  /// The statement that creates it on the target; empty if it exists.
  std::string create_sql;
  /// The archive that it is restored from, where the source is no server.
  std::filesystem::path archive = {};
};

/// The outcome for one database.
struct DatabaseResult {
  std::string name;
  bool made = false;            ///< on the target, by this run
  CloneSummary summary;         ///< where it has come to its end
  std::optional<Error> error;   ///< why it could not start or could not continue
  bool target_changed = false;  ///< something of it is on the target

  bool complete() const { return !error && summary.complete(); }
};

/// Where the clone of a database keeps its files, below the folder of all.
std::filesystem::path work_folder_of(const std::filesystem::path& work_folder, const std::string& database);

struct ServerSummary {
  std::vector<DatabaseResult> databases;  ///< in the order in which they were begun: largest first
  std::vector<Error> roles_failed;        ///< memberships and settings of roles that the server refused
  std::vector<std::string> warnings;
  std::chrono::nanoseconds duration{};
  bool cancelled = false;  ///< by cancel()

  bool complete() const;
};

/// Options of a caller about each database.
struct ServerCloneOptions {
  /// These, in their order; empty: all that are no templates, largest first.
  std::vector<std::string> databases = {};
  /// How many are at work at once; 0: as many as there are jobs.
  int at_once = 0;
  /// Sees to it that the target's database is there and empty, where CREATE DATABASE if it is missing will not do.
  /// Called on the thread of that database, one at a time; may throw Error, which ends that database.
  std::function<void(const PlannedDatabase&)> prepare = {};
  /// Gets each result as soon as it is there, and may change it. Called on the thread of that database.
  std::function<void(DatabaseResult&)> on_end = {};
};

/// Clones all databases of a server that are no templates into those of the same names of another one, where they are
/// made if they are not there: each is a clone of its own (clone.h), with its ledger, its snapshot and a work folder in
/// databases/ below the one given. Several are at work at once, with one pool of jobs for all of them: of all tables
/// that could be copied next, the largest is. Log lines begin with the database's name.
///
/// With Endpoints::archive, the databases come from a server's archive (archive.h) or from that of a single one, whose
/// database is made if it is missing.
///
/// The source sees table_jobs + 2 sessions and one for each database at work, whose snapshot it keeps; the target
/// table_jobs + index_jobs and one for each.
///
/// Lifecycle and threads: as of Clone.
class ServerClone {
 public:
  /// Options: as for Clone; the connection strings lead to any database of each server ("postgres" where they name
  /// none), and the roles are copied once. Throws Error(kUsage) for what is of a single database: a snapshot's name.
  /// It is cancelled with `parent` too.
  ServerClone(CloneOptions options, LogSink& sink, ServerCloneOptions care = {}, const CancelToken& parent = {});
  ServerClone(const ServerClone&) = delete;
  ServerClone& operator=(const ServerClone&) = delete;
  ~ServerClone();

  /// Largest first. Changes nothing.
  std::vector<PlannedDatabase> plan();

  /// A database that fails leaves the others alone, unless the options say to stop at the first failure.
  /// Throws Error where no database could be begun at all.
  ServerSummary run();

  /// The progress of all clones that have begun, together. The names of what is running begin with the database's.
  ProgressSnapshot progress() const;
  /// The progress of one clone; nullopt if it has not begun.
  std::optional<ProgressSnapshot> progress_of(const std::string& database) const;
  void cancel() noexcept;
  /// As of Clone, for all databases together.
  void set_pace(const Pace& pace);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace pgsluice::pipeline
