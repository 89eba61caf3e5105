#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "base/duration.h"
#include "base/wait.h"
#include "migration/outcome.h"
#include "migration/remedies.h"
#include "migration/runner_implementation.h"
#include "migration/server_connection.h"
#include "migration/source_databases.h"
#include "migration/verification.h"
#include "pg/quote.h"
#include "pg/server_identity.h"
#include "pg/snapshot.h"
#include "pgsluice/error.h"
#include "pgsluice/migration/validator.h"
#include "pgsluice/server_clone.h"
#include "pipeline/prepare/sessions.h"
#include "schema/archive/pg_dump.h"

namespace pgsluice::migration {

namespace {

constexpr std::chrono::milliseconds kPeriod{1000};

}  // namespace

Request of_migration(Request request, const Migration& migration) {
  request.option = migration.option;
  return request;
}

void Runner::Implementation::ask(Asked for_what) noexcept {
  Asked nothing = Asked::kNothing;
  asked.compare_exchange_strong(nothing, for_what);
  work.cancel();
}

DatabaseDetails& details_of(Migration& migration, const std::string& database) {
  return *std::find_if(migration.details.begin(), migration.details.end(),
                       [&](const DatabaseDetails& details) { return details.name == database; });
}

Migration Runner::Implementation::snapshot() const {
  const MutexLock lock(mutex);
  return migration;
}

bool Runner::Implementation::is_made(const std::string& database) const {
  Migration now = snapshot();
  return details_of(now, database).made;
}

void Runner::Implementation::change(const std::function<void(Migration&)>& what) {
  const MutexLock lock(mutex);
  what(migration);
  show();
  write();
}

void Runner::Implementation::show() {
  const MutexLock lock(shown_mutex);
  shown = migration;
}

void Runner::Implementation::enter(Substate substate) {
  change([&](Migration& of) { of.substate = substate; });
  log.info(fmt::format("migration {}: {}", name, to_string(substate)));
}

void Runner::Implementation::refresh() {
  if (!clone) return;
  const double copys_part = compares_with_source() ? 1 - kComparisonsPart : 1;
  for (DatabaseDetails& details : migration.details) {
    if (details.state != DatabaseState::kInProgress) continue;
    const std::optional<pipeline::ProgressSnapshot> progress = clone->progress_of(details.name);
    // Before its plan is there, and when there is nothing left to do, what an earlier attempt has counted holds.
    if (!progress || progress->tasks_total == 0) continue;
    take_progress(*progress, copys_part, details);
    const auto comparison = comparisons.find(details.name);
    if (comparison == comparisons.end()) continue;
    const double compared = comparison->second->progress().fraction;
    details.fraction = std::max(details.fraction, copys_part + kComparisonsPart * compared);
  }
}

void Runner::Implementation::take_pace() {
  pipeline::Pace wanted = migration.pace;
  try {
    if (clone) {
      // By whom else its work folder has told it to.
      const pipeline::ProgressSnapshot progress = clone->progress();
      wanted = progress.pace;
      const auto age = progress.snapshot_age;
      migration.snapshot_since =
          age ? std::optional(now() - std::chrono::duration_cast<Time::duration>(*age)) : std::nullopt;
    }
    const pipeline::PaceChange change = claim.requested_pace();
    if (change != asked_pace) {
      asked_pace = change;
      wanted = change.of(request.engine.pace);
      if (clone) clone->set_pace(wanted);
    }
  } catch (const Error& error) {
    log.warning(fmt::format("it does not go on at the pace that was asked for: {}", describe(error)));
    return;
  }
  if (wanted == migration.pace) return;
  if (wanted.paused != migration.pace.paused) {
    migration.paused_since = wanted.paused ? std::optional(now()) : std::nullopt;
  }
  migration.pace = wanted;
  for (const auto& [database, comparison] : comparisons) comparison->set_pace(wanted);
  log.info(fmt::format("migration {}: asked to go on in another way: {}", name, pipeline::describe(wanted)));
}

void Runner::Implementation::write() {
  try {
    if (!claim.write(migration)) is_lost = true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInternal) throw;
    log.warning(fmt::format("the migration's state could not be written: {}", describe(error)));
  }
  if (is_lost) ask(Asked::kStop);
}

void Runner::Implementation::keep_failure(const Error& error) {
  const MutexLock lock(mutex);
  if (!failure) failure = error;
}

void Runner::Implementation::heed_a_cancellation() {
  {
    const MutexLock lock(mutex);
    if (claim.cancel_requested()) ask(Asked::kCancel);
  }
  work.token().throw_if_cancelled();
}

void Runner::Implementation::report_while_it_runs(const CancelToken& until) {
  auto last_look = SteadyClock::now();
  while (wait_for({}, until, kPeriod) != WaitResult::kCancelled) {
    last_beat = SteadyClock::now();
    Migration copy;
    {
      const MutexLock lock(mutex);
      take_pace();
      refresh();
      const auto at = SteadyClock::now();
      if (migration.pace.paused) {
        paused_in_all += at - last_look;
        migration.time_left.reset();
      } else if (migration.substate == Substate::kMigratingData) {
        migration.time_left = time_left.update(fraction_done(migration), at - paused_in_all);
      }
      last_look = at;
      show();
      write();
      try {
        if (claim.cancel_requested()) ask(Asked::kCancel);
      } catch (const Error& error) {
        log.warning(fmt::format("whether to cancel could not be read: {}", describe(error)));
      }
      copy = migration;
    }
    if (on_progress) on_progress(copy);
  }
}

void Runner::Implementation::keep_lock(const CancelToken& until) {
  constexpr std::chrono::milliseconds kBetweenLooks{2000};
  while (wait_for({}, until, kBetweenLooks) != WaitResult::kCancelled) {
    try {
      target.lock(until);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kCancelled) return;
      // A server that cannot be reached now is the copy's to wait for; another migration that has taken the lock
      // replaces what this one copies into.
      if (error.kind() != ErrorKind::kState) continue;
      {
        const MutexLock lock(mutex);
        lost_lock = error;
      }
      work.cancel();
      return;
    }
  }
}

pg::Connection Runner::Implementation::connect(Side side, const CancelToken& cancel) const {
  return connect_to_server(request, side, log, cancel);
}

// An earlier attempt has worked on one server: on another one the same names and numbers are other databases.
void Runner::Implementation::require_same_target(const std::string& system) {
  const std::string before = claim.target_system();
  if (before.empty() || system.empty() || before == system) return;
  const bool has_worked = std::any_of(migration.details.begin(), migration.details.end(),
                                      [](const DatabaseDetails& database) { return database.may_be_on_target(); });
  if (!has_worked) return;
  throw Error(ErrorKind::kState, "another server answers at the target's address than the one that was migrated to")
      .on(Side::kTarget)
      .hint("nothing was changed on it; delete this migration, and create another one for this server");
}

// Databases that an earlier attempt has copied count as long as they exist.
void Runner::Implementation::look_for_what_was_made(const std::map<std::string, DatabaseId>& on_target) {
  for (DatabaseDetails& details : migration.details) {
    const auto there = on_target.find(details.name);
    const auto is_in_place = [&](DatabaseId made) {
      return made != 0 && there != on_target.end() && there->second == made;
    };
    // A worker that died after it had given the database its name, and before it had recorded that.
    if (is_in_place(details.making_oid)) {
      details.made = true;
      details.target_oid = details.making_oid;
    }
    if (!details.made || is_in_place(details.target_oid)) continue;
    log.warning(fmt::format("the database {} that was made before is not there any more: it is copied anew",
                            pg::display_name("", details.name)));
    details = {
        .name = details.name, .replaced = details.replaced, .kept_as = details.kept_as, .kept_oid = details.kept_oid};
  }
}

// Checks a source that is a server: it is another one than the target, and pg_dump can read it.
void Runner::Implementation::look_at_source_server(pg::Connection& there) {
  pg::Connection server = connect(Side::kSource, work.token());
  if (const auto reason = pg::why_not_apart(server, there, pg::Reach::kServer)) {
    throw Error(ErrorKind::kState, *reason).hint("a database would be dropped before it is copied");
  }
  schema::find_client_program(request.engine.pg_bindir, server.server_version(), work.token());
}

void Runner::Implementation::look_at_servers() {
  pg::Connection there = connect(Side::kTarget, work.token());
  if (request.archive.empty()) look_at_source_server(there);
  const SourceDatabases source = read_source_databases(request, log, work.token());
  const std::string system = pg::system_identifier(there);
  std::set<std::string> on_source;
  const std::map<std::string, DatabaseId> on_target = databases_of(there);
  const MutexLock lock(mutex);
  migration.source_version = source.server_version;
  migration.target_version = there.server_version_text();
  require_same_target(system);
  if (!system.empty()) {
    claim.set_target_system(system);
    target.expect(system);
  }
  seen_on_target = on_target;
  look_for_what_was_made(on_target);
  for (const auto& [database, archive] : source.databases) {
    on_source.insert(database.name);
    for (DatabaseDetails& details : migration.details) {
      const bool is_open = details.name == database.name && details.state != DatabaseState::kSucceeded;
      if (details.name == database.name) details.size = database.size;
      if (is_open && !details.made) details.pending = database.size;  // until its plan is made
    }
  }
  if (const auto obstacle = record_obstacles(migration, on_source, on_target)) throw Error(*obstacle);
}

void Runner::Implementation::validate() {
  if (request.option == MigrationOption::kMigrate) return;
  enter(Substate::kValidationInProgress);
  change([](Migration& of) { of.validation = {.started = now()}; });
  ValidationRequest wanted = validation_request(request);
  const Migration before = snapshot();
  for (const DatabaseDetails& details : before.details) {
    if (details.made && !details.anew) wanted.kept.insert(details.name);
  }
  Validator validator(std::move(wanted), log, work.token());
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

End Runner::Implementation::work_through() {
  change([](Migration& of) {
    if (!of.started) of.started = now();
  });
  heed_a_cancellation();  // that an earlier worker has not come to
  if (request.option == MigrationOption::kMigrate) look_at_servers();
  validate();
  work.token().throw_if_cancelled();
  const ValidationDetails validated = snapshot().validation;
  if (validated.ended && validated.state() == ValidationState::kFailed) {
    return {State::kValidationFailed, Substate::kFailed, end_invalid()};
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
  const Migration after = snapshot();
  for (const DatabaseDetails& details : after.details) {
    if (details.state == DatabaseState::kSucceeded) continue;
    return {State::kFailed, Substate::kFailed, fmt::format("{}: {}", details.name, details.message)};
  }
  enter(Substate::kCompletingMigration);
  drop_kept();
  return {State::kSucceeded, Substate::kCompleted, ""};
}

WrittenEnd Runner::Implementation::write_end(const End& end) {
  const MutexLock lock(mutex);
  migration.state = end.state;
  migration.substate = end.substate;
  migration.error = end.error;
  migration.ended = now();
  migration.time_left.reset();
  migration.leave_pace();
  show();
  const WrittenEnd written = claim.write_end(migration);
  if (written == WrittenEnd::kCancelRequested) {
    migration.state = State::kInProgress;
    migration.substate = claim.substate();
    migration.ended.reset();
    show();
  }
  return written;
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
    const MutexLock lock(self.mutex);
    self.clone.reset();
  }
  try {
    // A cancellation that is accepted up to the end itself is carried out.
    if (self.write_end(end) == WrittenEnd::kCancelRequested) self.write_end(self.cancel());
  } catch (const std::exception& error) {
    self.log.error(
        fmt::format("the migration's end, {}, could not be recorded: {}", to_string(end.state), error.what()));
  }
  Migration ended = self.snapshot();
  if (self.on_progress) self.on_progress(ended);
  return ended;
}

void Runner::cancel() noexcept { implementation_->ask(Asked::kCancel); }
void Runner::stop() noexcept { implementation_->ask(Asked::kStop); }

std::optional<Error> Runner::failure() const {
  const MutexLock lock(implementation_->mutex);
  return implementation_->failure;
}

bool Runner::is_alive() const {
  constexpr std::chrono::minutes kPatience{1};
  return SteadyClock::now() - implementation_->last_beat.load() < kPatience;
}

bool Runner::stopped() const {
  const MutexLock lock(implementation_->mutex);
  return implementation_->asked == Asked::kStop && !implementation_->is_lost;
}

Migration Runner::migration() const {
  const MutexLock lock(implementation_->shown_mutex);
  return implementation_->shown;
}

}  // namespace pgsluice::migration
