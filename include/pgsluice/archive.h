#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pgsluice/bytes.h"
#include "pgsluice/cancel.h"
#include "pgsluice/filter_rules.h"
#include "pgsluice/log.h"
#include "pgsluice/progress.h"
#include "pgsluice/row_options.h"

namespace pgsluice::pipeline {

/// Everything that a caller decides about an archive to be made.
struct ArchiveOptions {
  /// A connection string, URI or keyword form.
  std::string source;
  /// In place of the database that it names; empty: that one.
  std::string database = {};
  /// The archive. Made with mode 0700 if it is missing; must be empty otherwise.
  std::filesystem::path folder;
  /// "zstd", "zstd:1" to "zstd:19", "auto" (zstd at a level from 1 to 9 that follows the load), "gzip", "gzip:1" to
  /// "gzip:9" or "none".
  std::string compression = "zstd";
  /// How many tables or parts of tables are read at a time, with one connection each.
  int table_jobs = 4;
  /// How many threads compress; 0: as many as there are processors.
  int compress_jobs = 0;
  /// How much of rows and large objects is read in a second at most, by all jobs together; 0: no limit.
  Bytes max_rate = {};
  /// Which tables are read in parts, several at a time.
  copy::SplitOptions split;
  /// Objects to omit by their names, with all that depends on them.
  schema::FilterRules filters = {};
  bool extensions = true;
  bool large_objects = true;
  /// True if the archive gets the server's roles too, all of them, in globals.sql.
  bool roles = false;
  /// False if they come without passwords, which only a superuser may read.
  bool role_passwords = true;
  /// The folder of pg_dump; otherwise PATH and the usual places are searched.
  std::optional<std::filesystem::path> pg_bindir = std::nullopt;
  /// A snapshot that another session of the source holds; empty: a new one.
  std::string snapshot = {};
  /// True if an archive that was begun in the folder goes on, provided that the source still shows what is in it.
  bool resume = false;
  /// How long to retry after a lost connection, counted from the last success.
  std::chrono::seconds retry_for{300};
  /// If set: gets each file of the archive as soon as it is complete, the manifest last, and then the file is removed
  /// from the folder, which needs room for the tables that are being read only. Called by as many threads at a time as
  /// there are table jobs; an Error that it throws ends the archive. Nothing is left to resume then.
  std::function<void(const std::string& name, const std::filesystem::path& file)> hand_on = {};
};

/// A plan of an archive: all that would be written into it.
struct ArchivePlan {
  struct Table {
    std::string name;
    Bytes size;             ///< on the source's disk
    std::size_t parts = 1;  ///< that are read at the same time
  };

  std::string database;
  std::string server_version;
  std::size_t entries = 0;    ///< of the table of contents
  std::vector<Table> tables;  ///< largest first
  std::size_t large_objects = 0;
  std::vector<std::string> warnings;
  std::vector<std::string> skipped;
};

/// The result of making an archive, or one that is complete already.
struct ArchiveSummary {
  std::size_t entries = 0;  ///< of the table of contents
  std::size_t tables = 0;   ///< with rows, or ready to have had some
  std::int64_t rows = 0;
  Bytes content;  ///< of rows and large objects before compression
  Bytes stored;   ///< of the archive's files
  std::size_t large_objects = 0;
  std::string snapshot;
  std::chrono::nanoseconds elapsed{};
  /// Messages of pg_dump, and about the source.
  std::vector<std::string> warnings;
  /// Objects that the filters omit.
  std::vector<std::string> skipped;
};

/// Writes a database into a folder, as one snapshot shows it: an archive in pg_dump's directory format, which
/// pg_restore reads, with a manifest by which it is verified without the source. Several tables, and parts of large
/// tables, are read and compressed at once. Only reads on the source; locks each table in ACCESS SHARE.
///
/// Lifecycle: made, then one call of plan() or run(). Threads: run() starts its own and has joined them when it returns
/// or throws; progress() and cancel() from any thread meanwhile, cancel() also from a signal handler.
class ArchiveCreation {
 public:
  /// Cancelled with `parent` too.
  ArchiveCreation(ArchiveOptions options, LogSink& sink, const CancelToken& parent = {});
  ArchiveCreation(const ArchiveCreation&) = delete;
  ArchiveCreation& operator=(const ArchiveCreation&) = delete;
  ~ArchiveCreation();

  /// Reads the source and says what run() would write. Makes no folder. Throws Error: all that would keep run() from
  /// beginning, but for the folder.
  ArchivePlan plan();

  /// Throws Error: what was written by then is no archive. It is removed, unless another run can go on with it: see
  /// is_left().
  ArchiveSummary run();

  ProgressSnapshot progress() const;
  void cancel() noexcept;

  /// After run() has thrown: true if the folder holds a part of the archive, with which ArchiveOptions::resume goes on.
  bool is_left() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace pgsluice::pipeline
