#include "pgsluice/migration/runner.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "pgsluice/base/duration.h"
#include "pgsluice/base/error.h"
#include "pgsluice/base/wait.h"
#include "pgsluice/migration/target_database.h"
#include "pgsluice/migration/validator.h"
#include "pgsluice/migration/verification.h"
#include "pgsluice/pg/quote.h"
#include "pgsluice/pg/snapshot.h"
#include "pgsluice/pipeline/server_clone.h"
#include "pgsluice/pipeline/sessions.h"
#include "pgsluice/schema/databases.h"

namespace pgsluice::migration {

namespace {

constexpr std::chrono::milliseconds kPeriod{1000};

Time now() { return std::chrono::system_clock::now(); }

// Who has asked for an end before the end.
enum class Asked { kNothing, kCancel, kStop };

// What another process has to know of a migration's end.
struct End {
  State state;
  Substate substate;
  std::string error;
};

}  // namespace

struct Runner::Implementation {
  Store& store;
  const Request request;
  LogSink& sink;
  const Log log;
  const OnProgress on_progress;
  CancelSource work = {};
  std::atomic<Asked> asked{Asked::kNothing};

  /// Of all below.
  mutable std::mutex mutex = {};
  Claim claim;
  Migration migration;
  std::unique_ptr<pipeline::ServerClone> clone = {};
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
        claim(in.claim(of.id)),
        migration(of) {}

  void ask(Asked for_what) noexcept;
  DatabaseDetails& details_of(const std::string& database);
  void change(const std::function<void(Migration&)>& what);
  void enter(Substate substate);
  void refresh();
  void write();
  void report_while_it_runs(const CancelToken& until);

  pg::Connection connect(Side side, const CancelToken& cancel) const;
  void look_at_servers();
  void validate();
  void migrate();
  void prepare(const pipeline::PlannedDatabase& planned);
  void end_database(pipeline::DatabaseResult& result);
  void take_over(const pipeline::ServerSummary& summary);
  void drop_made();
  void end_open_databases(const std::string& message);
  std::vector<std::string> next_steps(const pipeline::ServerSummary& summary) const;
  End work_through();
  End end_of(const Error& error);
};

void Runner::Implementation::ask(Asked for_what) noexcept {
  Asked nothing = Asked::kNothing;
  asked.compare_exchange_strong(nothing, for_what);
  work.cancel();
}

DatabaseDetails& Runner::Implementation::details_of(const std::string& database) {
  return *std::find_if(migration.details.begin(), migration.details.end(),
                       [&](const DatabaseDetails& details) { return details.name == database; });
}

void Runner::Implementation::change(const std::function<void(Migration&)>& what) {
  const std::lock_guard lock(mutex);
  what(migration);
  write();
}

void Runner::Implementation::enter(Substate substate) {
  change([&](Migration& of) { of.substate = substate; });
  log.info(fmt::format("migration {}: {}", migration.name, to_string(substate)));
}

void Runner::Implementation::refresh() {
  if (!clone) return;
  for (DatabaseDetails& details : migration.details) {
    if (details.state != DatabaseState::kInProgress) continue;
    const std::optional<pipeline::ProgressSnapshot> progress = clone->progress_of(details.name);
    if (!progress) continue;
    details.completed_tables = static_cast<std::int64_t>(progress->tables_done);
    details.loading_tables = static_cast<std::int64_t>(progress->tables_running);
    details.queued_tables =
        std::max<std::int64_t>(static_cast<std::int64_t>(progress->tables_total) - details.completed_tables -
                                   details.loading_tables - details.errored_tables,
                               0);
    details.copied = progress->copied;
    if (progress->tasks_total > 0) details.pending = progress->pending;
    details.rows = progress->rows;
  }
}

// With the mutex held. A store that cannot be written keeps nobody from migrating.
void Runner::Implementation::write() {
  Bytes copied;
  for (const DatabaseDetails& details : migration.details) copied += details.copied;
  try {
    if (!claim.write(migration, copied)) is_lost = true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInternal) throw;
    log.warning(fmt::format("the migration's state could not be written: {}", error.describe()));
  }
  if (is_lost) ask(Asked::kStop);
}

void Runner::Implementation::report_while_it_runs(const CancelToken& until) {
  while (wait_for({}, until, kPeriod) != WaitResult::kCancelled) {
    Migration copy;
    {
      const std::lock_guard lock(mutex);
      refresh();
      write();
      try {
        if (claim.cancel_requested()) ask(Asked::kCancel);
      } catch (const Error& error) {
        log.warning(fmt::format("whether to cancel could not be read: {}", error.describe()));
      }
      copy = migration;
    }
    if (on_progress) on_progress(copy);
  }
}

pg::Connection Runner::Implementation::connect(Side side, const CancelToken& cancel) const {
  return connect_to_server(request, side, log, cancel);
}

void Runner::Implementation::look_at_servers() {
  pg::Connection source = connect(Side::kSource, work.token());
  pg::Connection target = connect(Side::kTarget, work.token());
  const std::string system = pg::system_identifier(target);
  std::set<std::string> missing;
  std::set<std::string> in_the_way;
  std::map<std::string, Bytes> on_source;
  for (const schema::Database& database : schema::read_databases(source)) on_source[database.name] = database.size;
  const std::set<std::string> on_target = database_names(target);
  {
    const std::lock_guard lock(mutex);
    migration.source_version = source.server_version_text();
    migration.target_version = target.server_version_text();
    if (!system.empty()) claim.set_target_system(system);
    for (DatabaseDetails& details : migration.details) {
      const auto size = on_source.find(details.name);
      if (size == on_source.end()) {
        missing.insert(pg::display_name("", details.name));
      } else if (details.state != DatabaseState::kSucceeded) {
        details.pending = size->second;  // until its plan is made
      }
      const bool is_there = on_target.contains(details.name) && !details.made;
      if (is_there && !request.overwrite) in_the_way.insert(pg::display_name("", details.name));
    }
  }
  if (!missing.empty()) {
    throw Error(ErrorKind::kState, fmt::format("there are no databases {}", fmt::join(missing, ", ")))
        .on(Side::kSource)
        .hint("DBsToMigrate names databases as the source has them, in their case; nothing was changed");
  }
  if (!in_the_way.empty()) {
    throw Error(ErrorKind::kState, fmt::format("databases are there already: {}", fmt::join(in_the_way, ", ")))
        .on(Side::kTarget)
        .hint("with OverwriteDBsInTarget true they are dropped and made again; nothing was changed");
  }
}

void Runner::Implementation::validate() {
  if (request.option == MigrationOption::kMigrate) return;
  enter(Substate::kValidationInProgress);
  change([](Migration& of) { of.validation = {.started = now()}; });
  Validator validator(validation_request(request), log, work.token());
  std::vector<Validation> server = validator.validate_servers();
  const bool reached = validator.reached_both();
  change([&](Migration& of) {
    of.validation.server = std::move(server);
    of.source_version = validator.version_of(Side::kSource);
    of.target_version = validator.version_of(Side::kTarget);
  });
  for (const std::string& database : request.databases) {
    if (!reached) break;
    DatabaseValidation validation{.database = database, .started = now()};
    validation.validations = validator.validate_database(database);
    validation.ended = now();
    change([&](Migration& of) { of.validation.databases.push_back(std::move(validation)); });
  }
  change([](Migration& of) { of.validation.ended = now(); });
}

void Runner::Implementation::prepare(const pipeline::PlannedDatabase& planned) {
  const std::string& name = planned.database.name;
  bool is_ours = false;
  change([&](Migration& of) {
    (void)of;
    DatabaseDetails& details = details_of(name);
    is_ours = details.made;
    details.operation = "MakingDatabase";
    if (!details.started) details.started = now();
  });
  pg::Connection target = connect(Side::kTarget, work.token());
  // One that an earlier attempt has made holds what that one has copied.
  if (!is_ours || !database_names(target).contains(name)) {
    make_over(target, name,
              schema::create_sql(planned.database, target.server_version(), request.engine.restore.tablespaces));
  }
  change([&](Migration& of) {
    (void)of;
    details_of(name).made = true;
    details_of(name).operation = "MigratingData";
  });
}

void Runner::Implementation::end_database(pipeline::DatabaseResult& result) {
  std::string message;
  std::string verification;
  {
    const std::lock_guard lock(mutex);
    refresh();
  }
  const pipeline::CloneSummary& summary = result.summary;
  if (!result.error && summary.complete() && request.verify) {
    change([&](Migration&) { details_of(result.name).operation = "Verifying"; });
    try {
      const Verification verified = verify_database(request, result.name, sink, work.token());
      verification = verified.text;
      if (!verified.equal) {
        result.error = Error(ErrorKind::kMismatch, "source and target differ: " + verified.text)
                           .hint("has somebody written to the source meanwhile? Stop that, and migrate again");
      }
    } catch (const Error& error) {
      result.error = error;
    }
  }
  if (result.error) {
    message = result.error->describe();
  } else if (!summary.complete()) {
    message =
        fmt::format("{} objects are missing; the first: {}", summary.failed.size() + summary.left_out.size(),
                    summary.failed.empty() ? summary.left_out.front().name : summary.failed.front().error.describe());
  }
  // What is cancelled gets its state with the whole.
  if (result.error && result.error->kind() == ErrorKind::kCancelled) return;
  change([&](Migration&) {
    if (result.error && !failure) failure = result.error;
    DatabaseDetails& details = details_of(result.name);
    details.state = message.empty() ? DatabaseState::kSucceeded : DatabaseState::kFailed;
    details.operation = message.empty() ? "Completed" : "Ended";
    details.message = message;
    details.verification = verification;
    details.errored_tables = message.empty() ? 0 : details.queued_tables + details.loading_tables;
    details.queued_tables = details.loading_tables = 0;
    if (message.empty()) details.pending = {};
    details.ended = now();
  });
}

void Runner::Implementation::migrate() {
  enter(Substate::kMigratingData);
  pipeline::CloneOptions options = request.engine;
  pg::Connection source = connect(Side::kSource, work.token());
  pg::Connection target = connect(Side::kTarget, work.token());
  options.source = request.conninfo(Side::kSource, source.database());
  options.target = request.conninfo(Side::kTarget, target.database());
  source.close();
  target.close();
  options.work_folder = store.work_folder(migration.id);
  options.roles = request.roles;
  pipeline::ServerCloneOptions care{.at_once = request.databases_at_once};
  for (const DatabaseDetails& details : migration.details) {
    if (details.made) options.earlier_run = pipeline::EarlierRun::kResume;
    if (details.state != DatabaseState::kSucceeded) care.databases.push_back(details.name);
  }
  if (care.databases.empty()) return;  // all that an earlier attempt has left
  care.prepare = [this](const pipeline::PlannedDatabase& planned) { prepare(planned); };
  care.on_end = [this](pipeline::DatabaseResult& result) { end_database(result); };
  {
    const std::lock_guard lock(mutex);
    clone = std::make_unique<pipeline::ServerClone>(std::move(options), sink, std::move(care), work.token());
  }
  const pipeline::ServerSummary summary = clone->run();
  work.token().throw_if_cancelled();
  change([&](Migration& of) { of.next_steps = next_steps(summary); });
}

std::vector<std::string> Runner::Implementation::next_steps(const pipeline::ServerSummary& summary) const {
  std::vector<std::string> steps = {fmt::format("connection strings: point the applications of {} at {}",
                                                fmt::join(migration.databases, ", "), request.target.host_and_port())};
  steps.emplace_back(
      "server parameters: they are not copied; ServerParametersValidation ('pgsluice check') shows which differ and "
      "the "
      "line that sets each");
  steps.emplace_back(request.roles
                         ? "roles: they were copied; superusers' attributes and what only a superuser may read "
                           "or give have to be looked at by hand"
                         : "roles: they were not copied (MigrateRoles false); log in as each user once");
  for (const Error& error : summary.roles_failed) steps.push_back("role: " + error.describe());
  for (const std::string& warning : summary.warnings) steps.push_back(warning);
  for (const pipeline::DatabaseResult& database : summary.databases) {
    for (const std::string& skipped : database.summary.skipped) {
      steps.push_back(fmt::format("{}: left out: {}", database.name, skipped));
    }
    for (const std::string& warning : database.summary.warnings) {
      steps.push_back(fmt::format("{}: {}", database.name, warning));
    }
  }
  return steps;
}

// Databases that were made are dropped; the migration is cancelled whatever becomes of that.
void Runner::Implementation::drop_made() {
  enter(Substate::kCancelingRequestedDBMigrations);
  change([](Migration& of) {
    for (DatabaseDetails& details : of.details) {
      if (details.state == DatabaseState::kInProgress) details.state = DatabaseState::kCanceling;
    }
  });
  const bool any = std::any_of(migration.details.begin(), migration.details.end(),
                               [](const DatabaseDetails& details) { return details.made; });
  std::optional<pg::Connection> target;
  std::string trouble;
  try {
    if (any) target.emplace(connect(Side::kTarget, {}));
  } catch (const Error& error) {
    trouble = error.describe();
  }
  for (const std::string& name : migration.databases) {
    const bool made = details_of(name).made;
    std::string message = made ? "canceled; the database was dropped" : "canceled; the target was not changed";
    bool dropped = made && target.has_value();
    try {
      if (dropped) drop_database(*target, name);
    } catch (const Error& error) {
      trouble = error.describe();
      dropped = false;
    }
    if (made && !dropped) message = "canceled, but the target's database could not be dropped: " + trouble;
    change([&](Migration&) {
      DatabaseDetails& details = details_of(name);
      details.state = DatabaseState::kCanceled;
      details.operation = "Ended";
      details.message = message;
      details.loading_tables = details.queued_tables = 0;
      details.made = made && !dropped;
      details.ended = now();
    });
  }
}

void Runner::Implementation::end_open_databases(const std::string& message) {
  change([&](Migration& of) {
    for (DatabaseDetails& details : of.details) {
      if (details.state != DatabaseState::kInProgress) continue;
      details.state = DatabaseState::kFailed;
      details.operation = "Ended";
      details.message = details.started ? message : "not begun";
      details.loading_tables = 0;
      details.ended = now();
    }
  });
}

End Runner::Implementation::work_through() {
  change([](Migration& of) {
    if (!of.started) of.started = now();
  });
  if (request.option == MigrationOption::kMigrate) look_at_servers();
  validate();
  work.token().throw_if_cancelled();
  if (migration.validation.ended && migration.validation.state() == ValidationState::kFailed) {
    end_open_databases("");
    return {State::kValidationFailed, Substate::kFailed,
            "a validation has failed: 'pgsluice migration show' names what, and what to do"};
  }
  if (request.option != MigrationOption::kMigrate) look_at_servers();
  if (request.option == MigrationOption::kValidate) {
    change([](Migration& of) {
      for (DatabaseDetails& details : of.details) {
        details.state = DatabaseState::kSucceeded;
        details.operation = "Validated";
      }
    });
  } else {
    migrate();
  }
  for (const DatabaseDetails& details : migration.details) {
    if (details.state == DatabaseState::kSucceeded) continue;
    return {State::kFailed, Substate::kFailed, fmt::format("{}: {}", details.name, details.message)};
  }
  enter(Substate::kCompletingMigration);
  return {State::kSucceeded, Substate::kCompleted, ""};
}

End Runner::Implementation::end_of(const Error& error) {
  if (asked == Asked::kCancel && !is_lost) {
    drop_made();
    return {State::kCanceled, Substate::kCompleted, "canceled"};
  }
  if (!failure) failure = error;
  std::string text = error.describe();
  if (asked == Asked::kStop) {
    text = "the worker was told to stop; 'pgsluice migration create --resume' goes on where it was";
  }
  end_open_databases(text);
  return {State::kFailed, Substate::kFailed, text};
}

Runner::Runner(Store& store, const Migration& migration, Request request, LogSink& sink, OnProgress on_progress)
    : implementation_(
          std::make_unique<Implementation>(store, migration, std::move(request), sink, std::move(on_progress))) {}

Runner::~Runner() = default;

Migration Runner::run() {
  Implementation& self = *implementation_;
  CancelSource finished;
  std::jthread reporter([&] { self.report_while_it_runs(finished.token()); });
  End end{State::kFailed, Substate::kFailed, ""};
  try {
    try {
      end = self.work_through();
    } catch (const Error& error) {
      end = self.end_of(error);
    }
  } catch (const std::exception& error) {
    end.error = fmt::format("a defect of pgsluice: {}", error.what());
  }
  finished.cancel();
  reporter.join();
  {
    const std::lock_guard lock(self.mutex);
    self.clone.reset();
  }
  self.change([&](Migration& of) {
    of.state = end.state;
    of.substate = end.substate;
    of.error = end.error;
    of.ended = now();
  });
  if (self.on_progress) self.on_progress(self.migration);
  return self.migration;
}

void Runner::cancel() noexcept { implementation_->ask(Asked::kCancel); }
void Runner::stop() noexcept { implementation_->ask(Asked::kStop); }

std::optional<Error> Runner::failure() const {
  const std::lock_guard lock(implementation_->mutex);
  return implementation_->failure;
}

bool Runner::stopped() const { return implementation_->asked == Asked::kStop; }

Migration Runner::migration() const {
  const std::lock_guard lock(implementation_->mutex);
  return implementation_->migration;
}

}  // namespace pgsluice::migration
