#include "pgsluice/pipeline/run_sessions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pgsluice/base/wait.h"
#include "pgsluice/pg/transaction.h"
#include "pgsluice/schema/catalog.h"

namespace pgsluice::pipeline {

namespace {

constexpr std::chrono::milliseconds kFirstPause{100};  // before a try, doubled with each
constexpr std::chrono::milliseconds kLongestPause{10000};

bool alive(std::optional<pg::Connection>& connection) {
  if (!connection) return false;
  try {
    connection->execute("SELECT 1");
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    return false;
  }
}

}  // namespace

bool may_go_on(const Error& error, const CloneOptions& options) {
  return options.ledger && options.retry_for.count() > 0 && error.is_retryable();
}

RunSessions::RunSessions(Preflight preflight, const Plan& plan, const CloneOptions& options, const Log& log,
                         const CancelToken& cancel)
    : source_info(preflight.source.pinned_conninfo()),
      target_info(preflight.target.pinned_conninfo()),
      encoding(std::move(preflight.encoding)),
      source(std::move(preflight.source)),
      target(std::move(preflight.target)),
      holder(std::move(preflight.holder)),
      record(std::move(preflight.record)),
      plan_(plan),
      options_(options),
      log_(log),
      cancel_(cancel),
      continuation_(std::move(preflight.continuation)) {}

std::map<TaskId, copy::LoadedRows> RunSessions::begin() {
  if (!options_.ledger) return {};
  RunFolder(options_.work_folder).begin(record.id);
  std::map<TaskId, copy::LoadedRows> done;
  if (continuation_) {
    if (continuation_->inconsistent) empty_broken_tables();
    copy::update_ledger(target, record.to_text());
    done = tasks_done(plan_, continuation_->ledger);
  } else {
    copy::create_ledger(target, record.to_text());
  }
  copy::register_session(target);
  done_before_ = done.size();
  return done;
}

// Those of which a part is there, and their rows may have moved to other parts since.
void RunSessions::empty_broken_tables() {
  const std::map<TaskId, copy::LoadedRows> done = tasks_done(plan_, continuation_->ledger);
  std::set<schema::Oid> kept;
  for (const auto& [task, loaded] : done) {
    if (plan_.graph[task].range != nullptr && plan_.graph[task].range->loaded) {
      kept.insert(plan_.graph[task].relation->oid);
    }
  }
  pg::Transaction transaction(target);
  for (const copy::LedgerPart& part : continuation_->ledger.parts) {
    if (kept.contains(part.relation)) continue;
    copy::forget_parts(target, part.relation);
    for (const TablePlan& table : plan_.tables) {
      if (table.table->oid != part.relation) continue;
      const bool through_root = table.into != table.table;
      target.execute(fmt::format("TRUNCATE {}{}", through_root ? "" : "ONLY ", table.into->quoted()));
      log_.info(fmt::format("table {} is copied anew", table.table->display()));
    }
  }
  transaction.commit();
  auto& parts = continuation_->ledger.parts;
  parts.erase(std::remove_if(parts.begin(), parts.end(),
                             [&](const copy::LedgerPart& part) { return !kept.contains(part.relation); }),
              parts.end());
}

std::map<TaskId, copy::LoadedRows> RunSessions::recover(const Error& lost) {
  log_.warning(fmt::format("{}; going on when the servers can be reached", lost.describe()));
  if (!give_up_at_) give_up_at_ = SteadyClock::now() + options_.retry_for;
  std::chrono::milliseconds pause = kFirstPause;
  Error last = lost;
  while (SteadyClock::now() < *give_up_at_) {
    wait(pause);
    pause = std::min(2 * pause, kLongestPause);
    try {
      std::map<TaskId, copy::LoadedRows> done = try_to_recover();
      if (done.size() > done_before_) give_up_at_.reset();
      done_before_ = done.size();
      return done;
    } catch (const Error& error) {
      if (!error.is_retryable()) throw;
      log_.notice(fmt::format("not yet: {}", error.describe()));
      last = error;
    }
  }
  throw Error(last).hint(
      fmt::format("nothing could be done for {} s (--retry-for); run again with --resume when the "
                  "servers can be reached",
                  options_.retry_for.count()));
}

bool RunSessions::wait(std::chrono::milliseconds pause) const {
  if (wait_for({}, cancel_, pause) == WaitResult::kCancelled) cancel_.throw_if_cancelled();
  return true;
}

std::map<TaskId, copy::LoadedRows> RunSessions::try_to_recover() {
  target = open_session(target_info, "definitions", encoding, log_, cancel_);
  const copy::LedgerContents ledger = take_target_again(target, record.id);
  if (copy::has_crashed(target)) log_.warning("the target has crashed: what it has lost is done again");
  std::map<TaskId, copy::LoadedRows> done = tasks_done(plan_, ledger);
  restore_holder(done);
  copy::update_ledger(target, record.to_text());
  return done;
}

// The snapshot as long as rows are missing: the same if its holder lives, else one that shows the same rows.
void RunSessions::restore_holder(const std::map<TaskId, copy::LoadedRows>& done) {
  const auto is_missing = [&](TaskId id) {
    const TaskKind kind = plan_.graph[id].kind;
    const bool reads = kind == TaskKind::kTableData || kind == TaskKind::kLargeObjects || kind == TaskKind::kSequences;
    return reads && !done.contains(id);
  };
  bool missing = false;
  for (TaskId id = 0; id < plan_.graph.size() && !missing; ++id) missing = is_missing(id);
  if (!missing || alive(holder)) return;
  holder.reset();
  pg::Connection session = open_session(source_info, "snapshot", encoding, log_, cancel_);
  const pg::SnapshotMark mark = pg::mark_snapshot(session, pg::export_snapshot(session));
  const std::vector<schema::Relation>& relations = plan_.catalog.relations;
  const bool unlogged = std::any_of(relations.begin(), relations.end(), [](const auto& r) { return r.unlogged; });
  if (const auto difference = pg::why_not_the_same(record.mark, mark, unlogged)) {
    throw Error(ErrorKind::kState,
                fmt::format("the snapshot is gone, and a new one may show other rows: {}", *difference))
        .on(Side::kSource)
        .hint("see the operations guide on resuming: --resume --not-consistent, or begin anew");
  }
  schema::lock_tables(session, tables_to_copy(plan_.catalog));
  record.mark = mark;
  holder = std::move(session);
  log_.info("nothing has changed on the source: a new snapshot shows the same rows");
}

}  // namespace pgsluice::pipeline
