#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "pgsluice/base/cancel.h"
#include "pgsluice/base/log.h"
#include "pgsluice/copy/relay.h"
#include "pgsluice/pipeline/plan.h"
#include "pgsluice/pipeline/progress.h"
#include "pgsluice/pipeline/scheduler.h"
#include "pgsluice/pipeline/step.h"
#include "pgsluice/pipeline/summary.h"
#include "pgsluice/schema/entry_sql.h"
#include "pgsluice/schema/extensions.h"
#include "pgsluice/schema/filter_rules.h"

namespace pgsluice::pipeline {

class JobPool;

/// What values of the target's TOAST are compressed by, in columns that do not say so themselves.
enum class ToastCompression {
  kAuto,    ///< lz4 where the target has it: it takes a fraction of the time of pglz
  kSource,  ///< as the source's default_toast_compression says; pglz where it is older than 14
};

/// What becomes of a run into the same target that has not come to its end.
enum class EarlierRun {
  kRefuse,  ///< the clone does not begin
  kResume,  ///< what it has done is taken as it is, and the rest is done. Where there is none, the clone begins anew
  kForget,  ///< its ledger is dropped; its objects have to be gone
};

/// What to clone, and how.
struct CloneOptions {
  /// Connection strings, URI or keyword form. Passwords may come from libpq's usual places instead.
  std::string source;
  std::string target;
  /// The database on both servers, where that of the connection strings is not meant.
  std::string database;

  /// For run(), not for plan(). Holds the lock that keeps two runs apart. Made, with mode 0700, when it is missing.
  std::filesystem::path work_folder;

  /// How many tables are copied at a time. Each job holds one connection to each server; the source sees at most
  /// table_jobs + 2 connections, the target table_jobs + index_jobs + 1. More than the servers have cores or disks
  /// for makes nothing faster.
  int table_jobs = 4;
  /// How many indexes, constraints and statistics are made at a time, one target connection each.
  int index_jobs = 4;

  /// How rows cross this process; see copy/relay.h.
  copy::Transport transport = copy::Transport::kAuto;
  /// How rows travel; see copy/copy_format.h.
  copy::FormatWish format = copy::FormatWish::kAuto;
  /// Which tables are cut into parts that cross at once; see copy/row_ranges.h.
  copy::SplitOptions split;
  ToastCompression toast_compression = ToastCompression::kAuto;
  /// Divided among the index builds that run at once (maintenance_work_mem). 0: half of the target's shared_buffers, or
  /// what its maintenance_work_mem gives to each of index_jobs, whichever is more.
  Bytes index_memory;
  /// Whether rows of a foreign key without a parent are only a warning: the key stays NOT VALID then.
  bool allow_orphans = false;
  EarlierRun earlier_run = EarlierRun::kRefuse;
  /// Resume although the source has changed: tables that are whole stay as they are, all others are copied as they are
  /// now.
  bool not_consistent = false;
  /// Whether the target keeps a ledger of what is done while the clone runs (copy/ledger.h). Without, it needs no
  /// schema of its own there, but cannot be resumed, and a lost connection ends it.
  bool ledger = true;
  /// How long to try again after a lost connection, as long as nothing succeeds.
  std::chrono::seconds retry_for{300};
  /// When nothing has moved for so long, the servers are asked what the run waits for, and the log says it.
  std::chrono::milliseconds stalled_after = std::chrono::minutes(1);
  /// A snapshot that another session of the source holds; empty: the one that `pgsluice snapshot` holds for the work
  /// folder, or one of its own.
  std::string snapshot;
  /// What is done of the whole; the rest is done by others, before or after.
  Steps steps = all_steps();
  /// The definitions are those that dump_schema() has written into the work folder, and the source is not asked.
  bool definitions_from_work_folder = false;
  /// What the target has of that which will be made is dropped before; what tables hold, is truncated.
  bool drop_if_exists = false;
  /// Gets a trace of the run in Chrome's trace format, for https://ui.perfetto.dev.
  std::optional<std::filesystem::path> trace_file;

  /// What is left out by its name, with what depends on it (schema/selection.h).
  schema::FilterRules filters;
  /// Whether the source's roles are made on the target first, with their passwords (pipeline/roles.h).
  bool roles = false;
  bool role_passwords = true;
  /// Versions of extensions, where others than the target's own are wanted.
  schema::ExtensionVersions extension_versions;
  /// Whether the source runs ANALYZE first, for the sizes that a plan is made by.
  bool analyze_source = false;
  /// Whether extensions are made; else those that are needed have to be on the target.
  bool extensions = true;
  /// Owners, ACLs, comments, tablespaces: true unless they should be left out.
  schema::RestoreOptions restore;
  bool large_objects = true;
  /// VACUUM ANALYZE of each table on the target. Without it the target's first queries are planned badly.
  bool statistics = true;
  /// Owner, ACL, comment and settings of the database itself.
  bool database_properties = true;

  /// Whether the target's rows are read back and compared with what the source sent.
  bool verify = false;

  /// Whether a failed object ends the clone. Else the rest goes on, and the summary says what is missing.
  FailurePolicy on_failure = FailurePolicy::kGoOn;

  /// For runs that share their jobs with others of this process; outlives them.
  JobPool* pool = nullptr;
  /// Called once by run(), on its thread, when all is prepared and the tasks begin.
  std::function<void()> on_begin;

  /// Where pg_dump is; else PATH and the usual places are looked through.
  std::optional<std::filesystem::path> pg_bindir;
};

/// Clones one database into another, existing and empty one.
///
/// Lifecycle: made, then one call of plan() or run(). Threads: run() starts its own and has joined them when it
/// returns or throws; progress() and cancel() may be called from any thread meanwhile, cancel() also from a signal
/// handler. Nothing is printed and no signal handler installed; messages go to the sink, which outlives the object.
class Clone {
 public:
  /// The clone is cancelled with `parent` too.
  Clone(CloneOptions options, LogSink& sink, const CancelToken& parent = {});
  Clone(const Clone&) = delete;
  Clone& operator=(const Clone&) = delete;
  ~Clone();

  /// Reads both servers and says what run() would do. Changes nothing on either. Valid as long as this object.
  /// Throws Error: all that would keep run() from beginning.
  const Plan& plan();

  /// Clones. Objects that could not be made are in the summary (complete() is false), unless the options say to stop
  /// at the first. Throws Error when the clone could not begin or not go on: a lost connection, a cancellation.
  CloneSummary run();

  ProgressSnapshot progress() const;
  void cancel() noexcept;

  /// Whether the target has been changed, so that a failed clone has left something behind there.
  bool target_changed() const;
  /// How many roles were made on the target before anything else. Any thread.
  std::size_t roles_made() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace pgsluice::pipeline
