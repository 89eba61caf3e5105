#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "pgsluice/bytes.h"
#include "pgsluice/filter_rules.h"
#include "pgsluice/pace.h"
#include "pgsluice/restore_options.h"
#include "pgsluice/row_options.h"
#include "pgsluice/steps.h"

namespace pgsluice::pipeline {

/// The two databases.
struct Endpoints {
  /// Connection strings, URI or keyword form. Passwords may come from libpq's usual places instead.
  std::string source;
  std::string target;
  /// The database on both servers; empty: those of the connection strings.
  std::string database;
  /// In the place of a source server: an archive that pgsluice or pg_dump has made, a folder (pg_dump -Fd) or a file
  /// (-Fc). Empty: there is a server.
  std::filesystem::path archive = {};
};

/// The planner's statistics of the target's tables.
enum class Statistics {
  /// kCarry where the target takes them, and both databases have the same encoding and collation; else kAnalyze.
  kAuto,
  /// The source's are written to the target, which has to be of 18 or later; ANALYZE where the source's are missing or
  /// out of date.
  kCarry,
  /// The target gathers its own.
  kAnalyze,
  /// Neither statistics nor VACUUM.
  kNone,
};

/// Selects the objects that a clone copies.
struct WhatToCopy {
  /// The steps of a clone that are carried out; other commands carry out the rest, before or after.
  Steps steps = all_steps();
  /// Objects to leave out by their names, with all that depends on them (docs/filters.md).
  schema::FilterRules filters;
  /// True if the source's roles are created on the target first, with their passwords.
  bool roles = false;
  /// False if the roles are created without passwords.
  bool role_passwords = true;
  /// True if extensions are created; otherwise those that are needed must exist on the target.
  bool extensions = true;
  /// Versions of extensions; the target's default version for an extension that is not named.
  schema::ExtensionVersions extension_versions;
  /// Owners, ACLs, comments, tablespaces: false for what is left out.
  schema::RestoreOptions restore;
  /// True if large objects are copied.
  bool large_objects = true;
  /// Without statistics the target's first queries are planned badly.
  Statistics statistics = Statistics::kAuto;
  /// Owner, ACL, comment and settings of the database itself.
  bool database_properties = true;
  /// True if objects that the target has already are dropped first, and its tables emptied.
  bool drop_if_exists = false;
};

/// The reaction to an object that fails.
enum class FailurePolicy { kGoOn, kStopAtFirst };

/// How values are compressed in the target's TOAST, in columns that do not say so themselves.
enum class ToastCompression {
  kAuto,    ///< lz4 if the target has it: it takes a fraction of the time of pglz
  kSource,  ///< the source's default_toast_compression; pglz if the source is older than 14
};

/// How a clone copies. None of this changes which objects and rows are copied.
struct HowToCopy {
  /// How many tables are copied at a time. Each job holds one connection to each server; the source sees at most
  /// table_jobs + 2 connections, the target table_jobs + index_jobs + 1. More than the servers have cores or disks
  /// for makes nothing faster.
  int table_jobs = 4;
  /// How many indexes, constraints and statistics are made at a time, with one target connection each.
  int index_jobs = 4;
  /// How fast it goes at first; Clone::set_pace() changes it.
  Pace pace;
  /// How rows cross this process.
  copy::Transport transport = copy::Transport::kAuto;
  /// The format in which rows travel.
  copy::FormatWish format = copy::FormatWish::kAuto;
  /// Which tables are copied in parts, several at a time.
  copy::SplitOptions split;
  ToastCompression toast_compression = ToastCompression::kAuto;
  /// Divided among the index builds that run at once (maintenance_work_mem). 0: half of the target's shared_buffers, or
  /// what its maintenance_work_mem gives to each of index_jobs, whichever is more.
  Bytes index_memory;
  /// True if rows that violate a foreign key only cause a warning: the key then stays NOT VALID.
  bool allow_orphans = false;
  /// True if the source runs ANALYZE first, for the sizes that a plan is made from.
  bool analyze_source = false;
  /// True if the target's rows are read back and compared with what the source sent.
  bool verify = false;
  /// Decides if a failed object ends the clone. Otherwise the rest continues, and the summary says what is missing.
  FailurePolicy on_failure = FailurePolicy::kGoOn;
  /// When nothing has moved for this long, the log says what the servers say the run waits for.
  std::chrono::milliseconds stalled_after = std::chrono::minutes(1);
  /// Receives a trace of the run in Chrome's trace format, for https://ui.perfetto.dev.
  std::optional<std::filesystem::path> trace_file;
  /// The folder of pg_dump; otherwise PATH and the usual places are searched.
  std::optional<std::filesystem::path> pg_bindir;
};

/// The treatment of an earlier run into the same target that has not finished.
enum class EarlierRun {
  kRefuse,  ///< the clone does not start
  kResume,  ///< the clone continues it; it starts a new run if there is none
  kForget,  ///< its ledger is dropped; its objects must be gone
};

/// Decides what a clone starts from, and what it keeps so that another one can resume it.
struct Continuing {
  /// Holds the lock that keeps two runs apart. Created, with mode 0700, if it is missing. Not used by Clone::plan().
  std::filesystem::path work_folder;
  EarlierRun earlier_run = EarlierRun::kRefuse;
  /// True to resume although the source has changed: complete tables stay as they are, and all others are copied as
  /// they are now.
  bool not_consistent = false;
  /// True if the target keeps a ledger of what is done while the clone runs. Without one, the clone
  /// needs no schema of its own there, but cannot be resumed, and a lost connection ends it.
  bool ledger = true;
  /// How long to retry after a lost connection, counted from the last success.
  std::chrono::seconds retry_for{300};
  /// A snapshot that another session of the source holds; empty: the one that keep_snapshot() holds for the work
  /// folder, or a new one.
  std::string snapshot;
  /// True if the definitions are those that dump_schema() has written into the work folder: then the source is not
  /// asked.
  bool definitions_from_work_folder = false;
};

/// Everything that a caller decides about one clone.
struct CloneOptions : Endpoints, WhatToCopy, HowToCopy, Continuing {};

}  // namespace pgsluice::pipeline
