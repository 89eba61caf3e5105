#include "pgsluice/server_clone.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <semaphore>
#include <set>
#include <thread>
#include <utility>

#include "base/counted.h"
#include "base/duration.h"
#include "base/escaped_file_name.h"
#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "base/threads.h"
#include "pg/quote.h"
#include "pipeline/prepare/archived_server.h"
#include "pipeline/prepare/archived_source.h"
#include "pipeline/prepare/database_sink.h"
#include "pipeline/prepare/preflight_checks.h"
#include "pipeline/prepare/roles.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/prepare/sessions.h"
#include "pipeline/run/job_pool.h"
#include "pipeline/run/pace_file.h"
#include "pipeline/run/run_environment.h"
#include "schema/catalog/databases.h"

namespace pgsluice::pipeline {

namespace {

struct Servers {
  std::optional<pg::Connection> source;  ///< none where the databases come from archives
  pg::Connection target;
};

/// A thread's turn to prepare a clone, until end() or its own end.
class Turn {
 public:
  explicit Turn(std::binary_semaphore& turns) : turns_(&turns) { turns.acquire(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { end(); }

  void end() {
    if (turns_ != nullptr) turns_->release();
    turns_ = nullptr;
  }

 private:
  std::binary_semaphore* turns_;
};

/// A database and the clone that is at work on it.
struct Cloning {
  PlannedDatabase planned;
  DatabaseResult result;
  std::unique_ptr<DatabaseSink> sink;
  std::unique_ptr<Clone> clone;
};

void add(const ProgressSnapshot& one, const PlannedDatabase& of, ProgressSnapshot& all) {
  all.tables_done += one.tables_done;
  all.tables_total += one.tables_total;
  all.tasks_done += one.tasks_done;
  all.tasks_total += one.tasks_total;
  all.tables_running += one.tables_running;
  all.rows += one.rows;
  all.copied.count += one.copied.count;
  all.pending.count += one.pending.count;
  if (one.snapshot_age) all.snapshot_age = std::max(all.snapshot_age.value_or(*one.snapshot_age), *one.snapshot_age);
  for (ProgressSnapshot::Running running : one.running) {
    running.name = fmt::format("{}: {}", pg::display_name("", of.database.name), running.name);
    all.running.push_back(std::move(running));
  }
  if (one.phase != "done") all.phase = one.phase;
}

}  // namespace

std::filesystem::path work_folder_of(const std::filesystem::path& work_folder, const std::string& database) {
  return work_folder / "databases" / escape_file_name(database);
}

bool ServerSummary::complete() const {
  return roles_failed.empty() && std::all_of(databases.begin(), databases.end(),
                                             [](const DatabaseResult& result) { return result.complete(); });
}

struct ServerClone::Implementation {
  CloneOptions options;
  LogSink& sink;
  const ServerCloneOptions care;
  const Log log;
  CancelSource users_cancel;
  /// Follows the user's, and is cancelled too where the first failure ends all.
  CancelSource cancel{users_cancel.token()};
  PaceControl pace;
  const SteadyClock::time_point started = SteadyClock::now();

  /// Guards the list and what it points to, but for reading the list once all databases are in it.
  mutable Mutex mutex;
  std::vector<std::unique_ptr<Cloning>> databases;

  /// Clones are prepared one at a time, in the list's order.
  std::binary_semaphore preparing{1};
  std::size_t next = 0;

  Implementation(CloneOptions wanted, LogSink& to, ServerCloneOptions with, const CancelToken& parent)
      : options(std::move(wanted)),
        sink(to),
        care(std::move(with)),
        log(to),
        users_cancel(parent),
        pace(options.pace) {}

  Servers connect() const;
  std::vector<ArchivedDatabase> databases_of_source(Servers& servers) const;
  std::vector<PlannedDatabase> read_plan(Servers& servers, std::vector<std::string>& warnings) const;
  void make(const PlannedDatabase& planned) const;
  schema::RolesOutcome make_roles() const;
  CloneOptions options_of(const PlannedDatabase& planned) const;
  void end_with(Cloning& of, const Error& error);
  void clone_one(Cloning& of, Turn& turn, JobPool& pool);
  void clone_many(JobPool& pool);
  void sum_up(ServerSummary& summary) const;
};

Servers ServerClone::Implementation::connect() const {
  std::optional<pg::Connection> source;
  if (options.archive.empty()) {
    source = open_reader(conninfo_of_server(options.source, Side::kSource), "databases", "UTF8", log, cancel.token());
  }
  pg::Connection target =
      open_session(conninfo_of_server(options.target, Side::kTarget), "databases", "UTF8", log, cancel.token());
  source ? check_servers(*source, target) : check_target_server(target);
  return {std::move(source), std::move(target)};
}

std::vector<ArchivedDatabase> ServerClone::Implementation::databases_of_source(Servers& servers) const {
  if (!servers.source) return find_archived_databases(options.archive, care.databases);
  std::vector<ArchivedDatabase> all;
  for (schema::Database& database : schema::read_databases(*servers.source)) {
    all.push_back({.database = std::move(database), .archive = {}});
  }
  return named_databases(std::move(all), care.databases);
}

std::vector<PlannedDatabase> ServerClone::Implementation::read_plan(Servers& servers,
                                                                    std::vector<std::string>& warnings) const {
  std::set<std::string, std::less<>> there;
  for (const pg::Row row : servers.target.execute("SELECT datname FROM pg_catalog.pg_database")) {
    there.emplace(row.text(0));
  }
  std::vector<PlannedDatabase> planned;
  for (auto& [database, archive] : databases_of_source(servers)) {
    if (database.half_dropped) {
      warnings.push_back(fmt::format("database {}: left out, since a DROP DATABASE of it was interrupted",
                                     pg::display_name("", database.name)));
      log.warning(warnings.back());
      continue;
    }
    std::string sql;
    if (!there.contains(database.name)) {
      sql = schema::create_sql(database, servers.target.server_version(), options.restore.tablespaces);
    }
    planned.push_back({.database = std::move(database), .create_sql = std::move(sql), .archive = std::move(archive)});
  }
  return planned;
}

void ServerClone::Implementation::make(const PlannedDatabase& planned) const {
  pg::Connection target =
      open_session(conninfo_of_server(options.target, Side::kTarget), "databases", "UTF8", log, cancel.token());
  try {
    target.execute(planned.create_sql);
    if (options.restore.owners && options.database_properties) schema::give_to_owner(target, planned.database);
  } catch (Error& error) {
    error.object("database " + pg::display_name("", planned.database.name)).step("making the database");
    if (error.kind() == ErrorKind::kServer) {
      error.hint(
          "make it by hand as this server has it (its locale, its tablespace), and run again: a database that "
          "is there is used as it is");
    }
    throw;
  }
}

// All databases of a server's archive have been made with its roles, or none.
schema::RolesOutcome ServerClone::Implementation::make_roles() const {
  const RolesRequest request = roles_request(options);
  if (options.archive.empty()) return copy_roles(request, log, cancel.token());
  if (databases.empty()) return {};
  return restore_roles(read_archived_roles(ArchivedSource(databases.front()->planned.archive)), request, log,
                       cancel.token());
}

CloneOptions ServerClone::Implementation::options_of(const PlannedDatabase& planned) const {
  const std::string& database = planned.database.name;
  CloneOptions of = options;
  of.database = database;
  of.archive = planned.archive;
  of.work_folder = work_folder_of(options.work_folder, database);
  of.roles = false;
  if (options.trace_file) {
    of.trace_file =
        options.trace_file->parent_path() / (options.trace_file->stem().string() + "." + escape_file_name(database) +
                                             options.trace_file->extension().string());
  }
  return of;
}

void ServerClone::Implementation::end_with(Cloning& of, const Error& error) {
  const MutexLock lock(mutex);
  of.result.error = error;
  of.result.target_changed = of.clone && of.clone->target_changed();
  if (error.kind() != ErrorKind::kCancelled) Log(*of.sink).error(error);
}

void ServerClone::Implementation::clone_one(Cloning& of, Turn& turn, JobPool& pool) {
  try {
    if (!of.planned.database.may_connect) {
      throw Error(ErrorKind::kState, "it takes no connections, or not of this user")
          .on(Side::kSource)
          .hint("ALTER DATABASE … ALLOW_CONNECTIONS true, or GRANT CONNECT");
    }
    if (care.prepare) {
      care.prepare(of.planned);
    } else if (!of.planned.create_sql.empty()) {
      make(of.planned);
      of.result.made = true;
      Log(*of.sink).info("database made on the target");
    }
    const RunEnvironment environment{.pool = &pool, .pace = &pace, .on_begin = [&turn] { turn.end(); }};
    {
      const MutexLock lock(mutex);
      of.clone = std::make_unique<Clone>(options_of(of.planned), *of.sink, cancel.token(), environment);
    }
    CloneSummary summary = of.clone->run();
    const MutexLock lock(mutex);
    of.result.summary = std::move(summary);
  } catch (const Error& error) {
    end_with(of, error);
  } catch (const std::exception& error) {
    end_with(of, Error(ErrorKind::kInternal, error.what()));
  }
  const auto stop_if_it_failed = [&] {
    if (!of.result.complete() && options.on_failure == FailurePolicy::kStopAtFirst) cancel.cancel();
  };
  stop_if_it_failed();  // before the next one has its turn
  turn.end();
  if (care.on_end) {
    DatabaseResult result = of.result;  // others may read it meanwhile
    care.on_end(result);
    const MutexLock lock(mutex);
    of.result = std::move(result);
  }
  stop_if_it_failed();
}

void ServerClone::Implementation::clone_many(JobPool& pool) {
  while (true) {
    Turn turn(preparing);
    try {
      pace.wait_while_paused(cancel.token());
    } catch (const Error&) {
      return;  // cancelled
    }
    if (next == databases.size() || cancel.cancelled()) return;
    clone_one(*databases[next++], turn, pool);
  }
}

void ServerClone::Implementation::sum_up(ServerSummary& summary) const {
  summary.duration = SteadyClock::now() - started;
  summary.cancelled = users_cancel.cancelled();
  for (std::size_t i = 0; i < databases.size(); ++i) {
    DatabaseResult database = databases[i]->result;
    if (i >= next) database.error = Error(ErrorKind::kCancelled, "not begun");
    summary.databases.push_back(std::move(database));
  }
}

ServerClone::ServerClone(CloneOptions options, LogSink& sink, ServerCloneOptions care, const CancelToken& parent) {
  if (!options.snapshot.empty()) {
    throw Error(ErrorKind::kUsage,
                "a snapshot belongs to one database: it cannot be given for a clone of all databases");
  }
  if (options.steps != all_steps()) {
    throw Error(ErrorKind::kUsage, "all databases can be cloned only as a whole, not step by step");
  }
  implementation_ = std::make_unique<Implementation>(std::move(options), sink, std::move(care), parent);
}

ServerClone::~ServerClone() = default;

std::vector<PlannedDatabase> ServerClone::plan() {
  Servers servers = implementation_->connect();
  std::vector<std::string> said;
  return implementation_->read_plan(servers, said);
}

ServerSummary ServerClone::run() {
  Implementation& self = *implementation_;
  const FileLock lock = lock_work_folder(self.options.work_folder);
  const PaceFile pace_file(
      self.options.work_folder, self.pace, [this] { return progress(); }, self.log);
  ServerSummary summary;
  {
    Servers servers = self.connect();
    for (PlannedDatabase& planned : self.read_plan(servers, summary.warnings)) {
      auto cloning = std::make_unique<Cloning>();
      cloning->sink = std::make_unique<DatabaseSink>(planned.database.name, self.sink);
      cloning->result.name = planned.database.name;
      cloning->planned = std::move(planned);
      const MutexLock list(self.mutex);
      self.databases.push_back(std::move(cloning));
    }
  }
  if (self.options.roles) {
    const schema::RolesOutcome outcome = self.make_roles();
    summary.roles_failed = outcome.failed;
    for (const std::string& lost : outcome.not_given) summary.warnings.push_back("not taken over: " + lost);
  }
  int most = self.care.at_once > 0 ? self.care.at_once : self.options.table_jobs + self.options.index_jobs;
  if (const int sessions = self.options.pace.max_source_sessions; sessions > 0) {
    most = std::clamp(sessions - kFewestSourceSessions, 1, most);
  }
  const auto at_once = static_cast<int>(std::min(self.databases.size(), static_cast<std::size_t>(most)));
  self.log.info(fmt::format("{}, {} at a time", counted(self.databases.size(), "database"), at_once));
  JobPool pool(self.options.table_jobs, self.options.index_jobs, at_once);
  if (at_once > 1) {
    self.pace.require_source_sessions(at_once + kFewestSourceSessions,
                                      fmt::format("{} databases are at work at once", at_once));
  }
  const PaceControl::Follower following(self.pace, [&](const Pace& pace) {
    pool.limit_copying(copying_at_once(pace, self.options.table_jobs, at_once));
    pool.set_paused(pace.paused);
  });
  run_in_threads(at_once, [&](int) { self.clone_many(pool); });
  self.sum_up(summary);
  return summary;
}

ProgressSnapshot ServerClone::progress() const {
  const Implementation& self = *implementation_;
  ProgressSnapshot all;
  all.elapsed = SteadyClock::now() - self.started;
  all.pace = self.pace.pace();
  all.paused_for = self.pace.paused_for();
  double weight = 0;
  const MutexLock lock(self.mutex);
  for (const std::unique_ptr<Cloning>& cloning : self.databases) {
    const double size = static_cast<double>(cloning->planned.database.size.count) + 1;
    weight += size;
    if (!cloning->clone) continue;
    const ProgressSnapshot one = cloning->clone->progress();
    add(one, cloning->planned, all);
    all.fraction += size * one.fraction;
  }
  if (weight > 0) all.fraction /= weight;
  const bool has_begun = std::any_of(self.databases.begin(), self.databases.end(),
                                     [](const auto& cloning) { return cloning->clone != nullptr; });
  if (all.phase.empty()) all.phase = has_begun ? "done" : "connecting";
  return all;
}

std::optional<ProgressSnapshot> ServerClone::progress_of(const std::string& database) const {
  const Implementation& self = *implementation_;
  const MutexLock lock(self.mutex);
  for (const std::unique_ptr<Cloning>& cloning : self.databases) {
    if (cloning->planned.database.name == database && cloning->clone) return cloning->clone->progress();
  }
  return std::nullopt;
}

void ServerClone::set_pace(const Pace& pace) { implementation_->pace.set(pace); }

void ServerClone::cancel() noexcept { implementation_->users_cancel.cancel(); }

}  // namespace pgsluice::pipeline
