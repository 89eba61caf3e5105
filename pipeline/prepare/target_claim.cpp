#include "pipeline/prepare/target_claim.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "pg/advisory_lock.h"
#include "pg/quote.h"
#include "pgsluice/error.h"
#include "pipeline/prepare/run_folder.h"

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

}  // namespace

std::optional<Continuation> look_at_target(pg::Connection& target, const ResolvedOptions& options) {
  return read_continuation(target, options);
}

std::optional<Continuation> take_target(pg::Connection& target, const ResolvedOptions& options, const Log& log) {
  // An earlier run that is about to commit may lock its ledger.
  target.execute("SET lock_timeout = '10s'");
  bool locked = pg::try_lock(target, pg::AdvisoryLock::kRun);
  if (!locked && options.earlier_run == EarlierRun::kResume) {
    // A run of this work directory is over, since its lock is ours: its sessions on the server are left over.
    const std::optional<copy::LedgerContents> ledger = copy::read_ledger(target);
    if (ledger && RunRecord::parse(ledger->run).id == RunFolder(options.work_folder).run_id()) {
      log.info("ending the sessions that the earlier run has left on the target");
      copy::end_sessions(target, copy::read_sessions(target));
      locked = pg::try_lock(target, pg::AdvisoryLock::kRun);
    }
  }
  // One that has just come to its end.
  if (!locked && !pg::lock_soon(target, pg::AdvisoryLock::kRun)) throw another_is_at_work(target);
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

}  // namespace pgsluice::pipeline
