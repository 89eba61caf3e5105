// What runner.cpp and runner_ends.cpp share.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/duration.h"
#include "base/error.h"
#include "migration/progress_estimate.h"
#include "migration/runner.h"
#include "migration/target_server.h"
#include "pg/connection.h"
#include "pipeline/compare/data_comparison.h"
#include "pipeline/server_clone.h"

namespace pgsluice::migration {

// Why the work stops early.
enum class Asked { kNothing, kCancel, kStop };

// What another process has to know of a migration's end.
struct End {
  State state;
  Substate substate;
  std::string error;
};

inline Time now() { return std::chrono::system_clock::now(); }

struct Runner::Implementation {
  Store& store;
  const Request request;
  LogSink& sink;
  const Log log;
  const OnProgress on_progress;
  CancelSource work = {};
  std::atomic<Asked> asked{Asked::kNothing};
  /// When the reporting thread was seen last.
  std::atomic<SteadyClock::time_point> last_beat{SteadyClock::now()};
  TargetServer target;

  /// Guards all members below.
  mutable std::mutex mutex = {};
  Claim claim;
  Migration migration;
  std::unique_ptr<pipeline::ServerClone> clone = {};
  /// The comparisons of databases whose rows are being compared.
  std::map<std::string, const pipeline::DataComparison*> comparisons = {};
  TimeLeft time_left = {};
  /// The first thing that went wrong, in a database or with the whole.
  std::optional<Error> failure = {};
  /// Others have taken this worker for dead.
  bool is_lost = false;

  Implementation(Store& in, const Migration& of, Request wanted, LogSink& to, OnProgress progress)
      : store(in),
        request(std::move(wanted)),
        sink(to),
        log(to),
        on_progress(std::move(progress)),
        target(request, log),
        claim(in.claim(of.id)),
        migration(of) {}

  void ask(Asked for_what) noexcept;
  DatabaseDetails& details_of(const std::string& database);
  bool is_made(const std::string& database);
  void change(const std::function<void(Migration&)>& what);
  void enter(Substate substate);
  void refresh();
  void write();
  void report_while_it_runs(const CancelToken& until);
  /// Looks whether others have asked to cancel, before something that cannot be undone. Throws Error(kCancelled).
  void heed_a_cancellation();

  pg::Connection connect(Side side, const CancelToken& cancel) const;
  void look_for_what_was_made(const std::map<std::string, DatabaseId>& on_target);
  void look_at_servers();
  void validate();
  void migrate();
  void check_before_anything_is_replaced(const pipeline::CloneOptions& options);
  void prepare_into_a_temporary(const schema::Database& database, pipeline::CloneOptions options);
  void record_temporary(const std::string& database);
  void record(const std::string& database, const TargetServer::Making& making);
  void prepare(const pipeline::PlannedDatabase& planned);
  void drop_kept();
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
