// How a migration ends, but well: what was made is dropped, what is open is Failed.
#include <fmt/format.h>

#include "migration/outcome.h"
#include "migration/remedies.h"
#include "migration/runner_implementation.h"

namespace pgsluice::migration {

// Drops one database, and returns a sentence about what the target has afterwards.
std::string Runner::Implementation::drop_created(const DatabaseDetails& before) {
  // Or another migration's would be dropped, whose temporary names are the same.
  if (before.may_be_on_target()) target.lock({});
  bool is_dropped = false;
  for (const DatabaseId made : {before.target_oid, before.making_oid}) {
    is_dropped = (made != 0 && target.drop(before.name, made, {}) == TargetServer::Dropped::kYes) || is_dropped;
  }
  if (!before.making.empty()) is_dropped = target.drop_own(before.making, {}) || is_dropped;
  const bool was_touched = before.made || !before.replaced.empty() || !before.kept_as.empty();
  if (!was_touched) return "canceled; the target was not changed";
  std::string text = is_dropped ? "canceled; the database that was made was dropped"
                                : "canceled; what was made is not on the target any more";
  if (!before.kept_as.empty()) {
    switch (target.give_back(before.kept_as, before.kept_oid, before.name, {})) {
      case TargetServer::GivenBack::kYes:
        return text + ", and the one that was there has its name again";
      case TargetServer::GivenBack::kNameIsTaken:
        return fmt::format("{}; the one that was there is kept as {}: another database has got its name", text,
                           before.kept_as);
      case TargetServer::GivenBack::kIsGone:
        return fmt::format("{}; the one that was there is not on the target any more", text);
    }
  }
  pg::Connection there = connect(Side::kTarget, {});
  const bool is_gone = !before.replaced.empty() && !databases_of(there).contains(before.name);
  return is_gone ? fmt::format("{}; the one that was there ({}) had been dropped for it", text, before.replaced) : text;
}

// Drops the databases that were made. Returns false if one of them could not be: what is known of it stays recorded.
bool Runner::Implementation::drop_created() {
  enter(Substate::kCancelingRequestedDBMigrations);
  change([](Migration& of) {
    for (DatabaseDetails& details : of.details) {
      if (details.state == DatabaseState::kInProgress) details.state = DatabaseState::kCanceling;
    }
  });
  bool is_all = true;
  Migration before_all = snapshot();
  for (const std::string& database : before_all.databases) {
    const DatabaseDetails before = details_of(before_all, database);
    const std::string failure_of_before = before.state == DatabaseState::kFailed ? " (" + before.message + ")" : "";
    std::string message;
    bool is_left = false;
    try {
      message = drop_created(before) + failure_of_before;
    } catch (const Error& error) {
      message = "to be canceled, but the target's database could not be dropped: " + describe(error);
      if (!before.kept_as.empty()) message += "; the one that was there is kept as " + before.kept_as;
      is_left = true;
    }
    is_all = is_all && !is_left;
    change([&](Migration& of) {
      DatabaseDetails& details = details_of(of, database);
      details.state = is_left ? DatabaseState::kFailed : DatabaseState::kCanceled;
      details.operation = "Ended";
      details.message = message;
      details.loading_tables = details.queued_tables = 0;
      if (!is_left) {
        details.made = false;
        details.making.clear();
        details.making_oid = 0;
        details.kept_as.clear();
      }
      if (!details.ended) details.ended = now();
    });
  }
  return is_all;
}

End Runner::Implementation::cancel() {
  if (drop_created()) return {State::kCanceled, Substate::kCompleted, "canceled"};
  return {State::kFailed, Substate::kFailed,
          "the cancellation could not be carried out whole; resume the migration to continue it"};
}

void Runner::Implementation::end_open_databases(const std::string& message) {
  change([&](Migration& of) {
    for (DatabaseDetails& details : of.details) {
      if (details.state == DatabaseState::kInProgress) details.end_unfinished(message);
    }
  });
}

std::string Runner::Implementation::end_invalid() {
  std::string first;
  change([&](Migration& of) { first = record_failed_validations(of); });
  end_open_databases("");
  return first;
}

End Runner::Implementation::end_of(const Error& thrown) {
  bool cancels = asked == Asked::kCancel;
  bool was_taken_for_dead = false;
  Error error = thrown;
  {
    const MutexLock lock(mutex);
    // The work was cancelled for this.
    if (lost_lock && thrown.kind() == ErrorKind::kCancelled) error = *lost_lock;
    was_taken_for_dead = is_lost;
    if (is_lost) error = Error(ErrorKind::kState, "the worker was taken for dead");
    // A cancellation that was accepted just before SIGTERM has to be carried out.
    if (asked == Asked::kStop && !is_lost) cancels = claim.cancel_requested();
    cancels = cancels && !is_lost;
    if (!cancels && !failure) failure = error;
  }
  if (cancels) return cancel();
  std::string text = describe(error);
  if (was_taken_for_dead) {
    text = "the store has this migration as ended: its worker was taken for dead, or others have removed its files";
  } else if (asked == Asked::kStop) {
    text = "the worker was told to stop; resume the migration to continue where it was";
  }
  end_open_databases(text);
  return {State::kFailed, Substate::kFailed, text};
}

}  // namespace pgsluice::migration
