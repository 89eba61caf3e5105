// The implementation of Runner, in runner.cpp, runner_replacing.cpp and runner_ends.cpp.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/duration.h"
#include "base/mutex.h"
#include "migration/progress_estimate.h"
#include "migration/source_databases.h"
#include "migration/target_server.h"
#include "pg/connection.h"
#include "pgsluice/data_comparison.h"
#include "pgsluice/error.h"
#include "pgsluice/migration/runner.h"
#include "pgsluice/server_clone.h"

namespace pgsluice::migration {

// Why the work stops early.
enum class Asked { kNothing, kCancel, kStop };

// A migration's end, as it is recorded for other processes.
struct End {
  State state;
  Substate substate;
  std::string error;
};

inline Time now() { return std::chrono::system_clock::now(); }

/// Returns the details of one of a migration's databases.
DatabaseDetails& details_of(Migration& migration, const std::string& database);

/// The request with the migration's own option, which goes before what its worker was told.
Request of_migration(Request request, const Migration& migration);

struct Runner::Implementation {
  Store& store;
  const std::string id;    ///< the migration's
  const std::string name;  ///< the migration's
  const Request request;
  LogSink& sink;
  const Log log;
  const OnProgress on_progress;
  CancelSource work = {};
  std::atomic<Asked> asked{Asked::kNothing};
  /// When the reporting thread was seen last.
  std::atomic<SteadyClock::time_point> last_beat{SteadyClock::now()};
  TargetServer target;

  mutable Mutex mutex = {};
  Claim claim GUARDED_BY(mutex);
  Migration migration GUARDED_BY(mutex);
  std::unique_ptr<pipeline::ServerClone> clone GUARDED_BY(mutex) = {};
  /// The comparisons of databases whose rows are being compared.
  std::map<std::string, pipeline::DataComparison*> comparisons GUARDED_BY(mutex) = {};
  TimeLeft time_left GUARDED_BY(mutex) = {};
  /// The changes of pace that were asked for when it was looked last.
  pipeline::PaceChange asked_pace GUARDED_BY(mutex) = {};
  /// How long it has been paused in all, which an estimate of the time left does not count.
  std::chrono::nanoseconds paused_in_all GUARDED_BY(mutex) = {};
  /// The first thing that went wrong, in a database or with the whole.
  std::optional<Error> failure GUARDED_BY(mutex) = {};
  /// Others have taken this worker for dead.
  bool is_lost GUARDED_BY(mutex) = false;
  /// The target's databases when it was looked at: one that has come since was not checked.
  std::map<std::string, DatabaseId> seen_on_target GUARDED_BY(mutex) = {};
  /// Why the lock on the target could not be kept.
  std::optional<Error> lost_lock GUARDED_BY(mutex) = {};
  /// A copy of `migration` as it was last written or shown, so that a reader never waits for the store.
  mutable Mutex shown_mutex = {};
  Migration shown GUARDED_BY(shown_mutex);

  Implementation(Store& in, const Migration& of, Request wanted, LogSink& to, OnProgress progress)
      : store(in),
        id(of.id),
        name(of.name),
        request(of_migration(std::move(wanted), of)),
        sink(to),
        log(to),
        on_progress(std::move(progress)),
        target(request, log),
        claim(in.claim(of.id)),
        migration(of),
        shown(of) {
    target.expect(claim.target_system());
    migration.leave_pace();
    migration.pace = request.engine.pace;
  }

  void ask(Asked for_what) noexcept;
  /// A copy of what is known now.
  Migration snapshot() const;
  bool is_made(const std::string& database) const;
  void change(const std::function<void(Migration&)>& what);
  void enter(Substate substate);
  void refresh() REQUIRES(mutex);
  /// Goes on at the pace that others have asked for.
  void take_pace() REQUIRES(mutex);
  /// A store that cannot be written does not stop the migration.
  void write() REQUIRES(mutex);
  void keep_failure(const Error& error);
  void show() REQUIRES(mutex);
  void report_while_it_runs(const CancelToken& until);
  /// Looks now and then whether the session that holds the lock on the target lives, and takes the lock again if not.
  void keep_lock(const CancelToken& until);
  /// Looks whether others have asked to cancel, before something that cannot be undone. Throws Error(kCancelled).
  void heed_a_cancellation();

  pg::Connection connect(Side side, const CancelToken& cancel) const;
  void require_same_target(const std::string& system) REQUIRES(mutex);
  void look_for_what_was_made(const std::map<std::string, DatabaseId>& on_target) REQUIRES(mutex);
  void look_at_source_server(pg::Connection& there);
  void look_at_servers();
  void validate();
  /// False for a source that is an archive, which tells what its rows have to be.
  bool compares_with_source() const { return request.verify && request.archive.empty(); }
  void take_source(pipeline::CloneOptions& options) const;
  std::string describe_restored() const;
  void migrate();
  void check_before_anything_is_replaced(const pipeline::CloneOptions& options);
  void prepare_into_a_temporary(const pipeline::ArchivedDatabase& from, pipeline::CloneOptions options);
  void require_free_kept_name(const std::string& database, const std::map<std::string, DatabaseId>& on_target);
  void record_temporary(const std::string& database);
  void record(const std::string& database, const TargetServer::Making& making);
  void prepare(const pipeline::PlannedDatabase& planned);
  void drop_kept();
  std::string verify(pipeline::DatabaseResult& result);
  void end_database(pipeline::DatabaseResult& result);
  void take_over(const pipeline::ServerSummary& summary);
  /// Drops what was made. Returns the end to be recorded: Canceled, or Failed if that was not possible now.
  End cancel();
  WrittenEnd write_end(const End& end);
  bool drop_created();
  std::string drop_created(const DatabaseDetails& before);
  void end_open_databases(const std::string& message);
  std::string end_invalid();
  End work_through();
  End end_of(const Error& error);
};

}  // namespace pgsluice::migration
