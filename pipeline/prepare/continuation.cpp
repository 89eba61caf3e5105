#include "pipeline/prepare/continuation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <vector>

#include "base/error.h"
#include "pg/advisory_lock.h"
#include "pg/quote.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/prepare/source_changes.h"

namespace pgsluice::pipeline {

namespace {

Error another_is_at_work(pg::Connection& target) {
  const std::optional<int> holder = pg::holder_in_this_database(target, pg::AdvisoryLock::kRun);
  const std::string pid = holder ? std::to_string(*holder) : "?";
  return Error(ErrorKind::kState, fmt::format("another clone into {} is at work (session {} of the target)",
                                              pg::display_name("", target.database()), pid))
      .hint(fmt::format("wait for its end, or end it; if its machine is gone: SELECT pg_terminate_backend({})", pid))
      .remedy(Remedy::kResume);
}

std::optional<Continuation> read_continuation(pg::Connection& target, const ResolvedOptions& options) {
  std::optional<copy::LedgerContents> ledger = copy::read_ledger(target);
  if (!ledger) return std::nullopt;
  if (options.earlier_run == EarlierRun::kForget) return std::nullopt;
  Continuation continuation{.record = RunRecord::parse(ledger->run)};
  const RunRecord& record = continuation.record;
  const bool next_in_a_row = record.stepwise && record.unfinished.empty() && is_stepwise(options);
  if (record.stepwise && !next_in_a_row && options.earlier_run == EarlierRun::kRefuse) {
    throw Error(ErrorKind::kState,
                record.unfinished.empty()
                    ? fmt::format("a copy into {} was begun step by step", pg::display_name("", target.database()))
                    : fmt::format("an earlier command has not come to its end in {}: {}",
                                  pg::display_name("", target.database()), fmt::join(record.unfinished, ", ")))
        .remedy(Remedy::kResume)
        .remedy(Remedy::kForgetRun);
  }
  if ((options.earlier_run == EarlierRun::kRefuse && !next_in_a_row) || !options.ledger) {
    Error error(ErrorKind::kState,
                fmt::format("an earlier clone into {} has not finished", pg::display_name("", target.database())));
    if (options.ledger) throw error.remedy(Remedy::kResume).remedy(Remedy::kForgetRun);
    throw error.hint("a clone without a ledger cannot continue it").remedy(Remedy::kUseLedger);
  }
  continuation.ledger = std::move(*ledger);
  require_same_options(continuation.record, options);
  return continuation;
}

std::optional<pg::SnapshotIdentity> try_to_import(pg::Connection& holder, const pg::SnapshotIdentity& snapshot) {
  try {
    pg::import_snapshot(holder, snapshot);
    return snapshot;
  } catch (const Error& error) {
    if (error.poisons_connection()) throw;
    if (!holder.idle()) holder.execute("ROLLBACK");
  }
  return std::nullopt;
}

// That of `pgsluice snapshot`. Nothing where the file is of another database, or may be passed over.
std::optional<pg::SnapshotMark> take_shared_snapshot(pg::Connection& holder, const pg::SnapshotMark& shared,
                                                     const ResolvedOptions& options, const Log& log) {
  const std::string file = RunFolder(options.work_folder).shared_snapshot_file().string();
  if (try_to_import(holder, shared.snapshot)) {
    log.info(fmt::format("snapshot {} taken over from {}", shared.snapshot.name, file));
    pg::SnapshotMark mark = shared;
    mark.snapshot = pg::export_again(holder, shared.snapshot);
    return mark;
  }
  const pg::SnapshotMark now = pg::mark_snapshot(holder, pg::export_snapshot(holder));
  holder.execute("ROLLBACK");
  if (!pg::of_one_database(shared, now)) {
    log.notice(fmt::format("{} names a snapshot of another database", file));
    return std::nullopt;
  }
  if (!pg::why_not_the_same(shared, now, true)) {
    log.info(fmt::format("snapshot {} is not held any more, and nothing has changed on the source since",
                         shared.snapshot.name));
    return std::nullopt;
  }
  if (options.not_consistent) {
    log.warning(
        fmt::format("snapshot {} is no longer held: a new one is taken, as was asked for", shared.snapshot.name));
    return std::nullopt;
  }
  throw Error(ErrorKind::kState, fmt::format("the snapshot {} is not held any more", shared.snapshot.name))
      .on(Side::kSource)
      .hint(fmt::format("the process that held it was killed: remove {}", file))
      .remedy(Remedy::kKeepSnapshot)
      .remedy(Remedy::kResumeInconsistent);
}

}  // namespace

std::optional<Continuation> look_at_target(pg::Connection& target, const ResolvedOptions& options) {
  return read_continuation(target, options);
}

std::optional<Continuation> take_target(pg::Connection& target, const ResolvedOptions& options, const Log& log) {
  // What an earlier run is about to commit may lock its ledger.
  target.execute("SET lock_timeout = '10s'");
  bool locked = pg::try_lock(target, pg::AdvisoryLock::kRun);
  if (!locked && options.earlier_run == EarlierRun::kResume) {
    // A run of this work directory is over, since its lock is ours: whoever works for it on the server is left over.
    const std::optional<copy::LedgerContents> ledger = copy::read_ledger(target);
    if (ledger && RunRecord::parse(ledger->run).id == RunFolder(options.work_folder).run_id()) {
      log.info("ending the sessions that the earlier run has left on the target");
      copy::end_sessions(target, copy::read_sessions(target));
      locked = pg::try_lock(target, pg::AdvisoryLock::kRun);
    }
  }
  if (!locked) throw another_is_at_work(target);
  // First what is there, then what is done with it: the sessions may commit until they are gone.
  if (copy::read_ledger(target) && options.earlier_run != EarlierRun::kRefuse) {
    copy::end_sessions(target, copy::read_sessions(target));
  }
  std::optional<Continuation> continuation = read_continuation(target, options);
  target.execute("SET lock_timeout = 0");
  return continuation;
}

std::optional<copy::LedgerContents> take_target_again(pg::Connection& target, const std::string& run_id,
                                                      const std::vector<copy::Backend>& sessions) {
  // Before the ledger is looked at: one of them may be about to drop it.
  copy::end_sessions(target, sessions);
  const bool locked = pg::try_lock(target, pg::AdvisoryLock::kRun);
  std::optional<copy::LedgerContents> ledger = copy::read_ledger(target);
  if (ledger && RunRecord::parse(ledger->run).id != run_id) {
    throw Error(ErrorKind::kState, "another clone has taken this one over while its connection was lost")
        .on(Side::kTarget)
        .hint("leave the rest to that one");
  }
  if (!locked) {
    throw Error(ErrorKind::kConnection, "a session of before still keeps the target")
        .on(Side::kTarget)
        .hint(another_is_at_work(target).hint());
  }
  return ledger;
}

pg::SnapshotMark hold_snapshot(pg::Connection& holder, const ResolvedOptions& options,
                               const std::optional<Continuation>& continuation, const Log& log) {
  if (!options.snapshot.empty()) {
    const pg::SnapshotIdentity given = pg::import_snapshot(holder, options.snapshot);
    log.info(fmt::format("snapshot {} taken over", given.name));
    const pg::SnapshotMark mark = pg::mark_snapshot(holder, pg::export_again(holder, given));
    if (!mark.read_before.empty()) {
      throw Error(ErrorKind::kState, "how old the snapshot is cannot be told, and old_snapshot_threshold is set")
          .on(Side::kSource)
          .hint("set it to -1 (which takes a restart of the server)")
          .remedy(Remedy::kOwnSnapshot);
    }
    return mark;
  }
  if (const auto shared = RunFolder(options.work_folder).shared_snapshot()) {
    if (auto mark = take_shared_snapshot(holder, *shared, options, log)) return *mark;
  }
  if (continuation && !continuation->record.mark.snapshot.name.empty()) {
    if (const auto earlier = try_to_import(holder, continuation->record.mark.snapshot)) {
      log.info(fmt::format("snapshot {} of the earlier run is still held", earlier->name));
      pg::SnapshotMark mark = continuation->record.mark;
      mark.snapshot = pg::export_again(holder, *earlier);
      return mark;
    }
  }
  const pg::SnapshotIdentity exported = pg::export_snapshot(holder);
  log.info(fmt::format("snapshot {} exported", exported.name));
  return pg::mark_snapshot(holder, exported);
}

namespace {

// The same one, which somebody has held all the time: nothing is to be compared. A standby names it as it was; on a
// primary it is exported again under other names, with the mark that it was given first.
bool is_one_snapshot(const pg::SnapshotMark& a, const pg::SnapshotMark& b) {
  const bool same_name = a.snapshot.name == b.snapshot.name;
  const bool same_mark = !a.log_position.empty() && a.log_position == b.log_position;
  return a.snapshot.text == b.snapshot.text && a.snapshot.server_started == b.snapshot.server_started &&
         (same_name || same_mark);
}

}  // namespace

void require_same_source(const pg::SnapshotMark& earlier, const pg::SnapshotMark& now) {
  const auto differ = [](const std::string& a, const std::string& b) { return !a.empty() && !b.empty() && a != b; };
  if (!differ(earlier.snapshot.system_identifier, now.snapshot.system_identifier) &&
      !differ(earlier.database, now.database)) {
    return;
  }
  throw Error(ErrorKind::kState, "what was begun into this target is of another source")
      .on(Side::kSource)
      .remedy(Remedy::kCheckServers)
      .remedy(Remedy::kOtherWorkFolder)
      .remedy(Remedy::kForgetRun);
}

void check_same_rows(Continuation& continuation, RunRecord& now, pg::Connection& source, const schema::Catalog& catalog,
                     const ResolvedOptions& options, const Log& log) {
  const pg::SnapshotMark& earlier = continuation.record.shown();
  if (is_one_snapshot(earlier, now.mark)) return;
  std::optional<std::string> difference = pg::why_not_comparable(earlier, now.mark, catalog.has_unlogged_tables());
  if (!difference && !pg::show_the_same(earlier, now.mark)) {
    const bool loaded = options.steps.contains(Step::kTableData) &&
                        everything_is_loaded(continuation.ledger, catalog, options.large_objects);
    if (loaded && !earlier.definitions.empty() && earlier.definitions == now.mark.definitions) {
      log.info(
          "transactions ran on the source's server since: all rows had been copied before, and the definitions are the "
          "same");
      now.mark_of_rows = earlier;
      // Some of them may be wanted as they are now.
      continuation.inconsistent = options.not_consistent;
      return;
    }
    difference = find_change(source, earlier, now.mark, catalog, continuation.ledger, log);
  }
  if (!difference) {
    if (earlier.snapshot.name != now.mark.snapshot.name)
      log.info("nothing has changed on the source since the run began: the snapshot of now shows the same");
    return;
  }
  if (!options.not_consistent) {
    throw Error(ErrorKind::kState, fmt::format("the run cannot go on as it began: {}", *difference))
        .on(Side::kSource)
        .remedy(Remedy::kResumeInconsistent)
        .remedy(Remedy::kStartOver);
  }
  continuation.inconsistent = true;
  log.warning(
      fmt::format("{}: tables that are whole stay as they were when the run began, as was asked for", *difference));
}

std::string databases_mark(const pg::SnapshotMark& source, pg::Connection& target) {
  const pg::SnapshotMark there = pg::identity_of(target);
  if (there.snapshot.system_identifier.empty() || source.snapshot.system_identifier.empty()) return "";
  return fmt::format("{} {} from {} {}", there.snapshot.system_identifier, there.database,
                     source.snapshot.system_identifier, source.database);
}

std::string finished_mark(const RunRecord& record, pg::Connection& target) {
  const std::string databases = databases_mark(record.mark, target);
  return databases.empty() ? "" : fmt::format("{} at {}", databases, record.shown().snapshot.text);
}

}  // namespace pgsluice::pipeline
