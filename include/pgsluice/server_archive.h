#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pgsluice/archive.h"
#include "pgsluice/cancel.h"
#include "pgsluice/error.h"
#include "pgsluice/log.h"
#include "pgsluice/progress.h"

namespace pgsluice::pipeline {

/// The outcome for one database.
struct DatabaseArchived {
  std::string database;
  std::filesystem::path folder;
  ArchiveSummary summary;      ///< where the archive is complete
  std::optional<Error> error;  ///< why it is not
};

struct ServerArchiveSummary {
  std::vector<DatabaseArchived> databases;  ///< in the order in which they were begun: largest first
  std::vector<std::string> warnings;
  std::chrono::nanoseconds elapsed{};

  bool complete() const;
};

/// Writes all databases of a server that are no templates into a folder, which has an archive (archive.h) in a folder
/// for each of them, one after the other: each is of a snapshot of its own. A list of them, written last, says that all
/// are there.
///
/// Lifecycle and threads: as of ArchiveCreation.
class ServerArchiveCreation {
 public:
  /// Options: as for one database; the connection string leads to any database ("postgres" where it names none), the
  /// folder is that of all. Throws Error(kUsage) for what is of a single database: a snapshot's name. Cancelled with
  /// `parent` too.
  /// `excluded`: databases to leave out, as a service's own, which its users may not read.
  ServerArchiveCreation(ArchiveOptions options, LogSink& sink, const CancelToken& parent = {},
                        std::vector<std::string> excluded = {});
  ServerArchiveCreation(const ServerArchiveCreation&) = delete;
  ServerArchiveCreation& operator=(const ServerArchiveCreation&) = delete;
  ~ServerArchiveCreation();

  /// Returns what run() would write of each database. Makes no folder.
  std::vector<ArchivePlan> plan();

  /// A database that fails leaves the others alone; with ArchiveOptions::resume, those that are complete are not read
  /// again. Throws Error where no database could be begun, or the work was cancelled.
  ServerArchiveSummary run();

  ProgressSnapshot progress() const;
  void cancel() noexcept;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace pgsluice::pipeline
