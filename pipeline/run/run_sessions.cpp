#include "pipeline/run/run_sessions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/wait.h"
#include "copy/large_objects.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/prepare/sessions.h"
#include "pipeline/prepare/source_changes.h"
#include "pipeline/prepare/target_claim.h"
#include "pipeline/run/lost_rows.h"
#include "pipeline/run/target_clearing.h"
#include "schema/catalog/catalog.h"
#include "store/archived_large_objects.h"

namespace pgsluice::pipeline {

namespace {

constexpr std::chrono::milliseconds kFirstPause{100};  // before a try, doubled with each
constexpr std::chrono::milliseconds kLongestPause{10000};
constexpr int kTriesAtLeast = 5;  // of those after which no task was done

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

bool may_go_on(const Error& error, const ResolvedOptions& options) {
  return options.ledger && options.retry_for.count() > 0 && error.is_retryable();
}

RunSessions::RunSessions(Preflight preflight, const Plan& plan, std::atomic<bool>& target_changed, const Log& log,
                         const CancelToken& cancel)
    : source_info(preflight.source ? std::optional(preflight.source->pinned_conninfo()) : std::nullopt),
      archive(std::move(preflight.archive)),
      target_info(preflight.target.pinned_conninfo()),
      encoding(std::move(preflight.encoding)),
      source(std::move(preflight.source)),
      target(std::move(preflight.target)),
      holder(std::move(preflight.holder)),
      record(std::move(preflight.record)),
      plan_(plan),
      options_(plan.options),
      target_changed_(target_changed),
      log_(log),
      cancel_(cancel),
      continuation_(std::move(preflight.continuation)),
      pause_(kFirstPause) {}

std::map<TaskId, copy::LoadedRows> RunSessions::begin() {
  clear_target(
      target, plan_, continuation_, [this] { return large_objects_of_source(); }, target_changed_, log_);
  forget_earlier_run(target, plan_, target_changed_, log_);
  const RunFolder folder(options_.work_folder);
  folder.keep_filters(databases_mark(record.mark, target), is_stepwise(options_) ? record.filters : "");
  if (!options_.ledger) return {};
  folder.begin(record.id);
  std::map<TaskId, copy::LoadedRows> done;
  if (continuation_) {
    done = take_over_ledger();
  } else {
    of_target.add(copy::create_ledger(target, record.to_text()));
  }
  target_changed_ = true;
  done_before_ = done.size();
  return done;
}

std::map<TaskId, copy::LoadedRows> RunSessions::take_over_ledger() {
  // A copy that was begun as a whole, or step by step, stays so.
  const RunRecord& before = continuation_->record;
  record.was_all_tried = before.was_all_tried;
  if (is_stepwise(options_)) {
    record.stepwise = before.stepwise;
    record.options.insert(before.options.begin(), before.options.end());
    if (record.filters.empty()) record.filters = before.filters;
    record.begun.insert(before.begun.begin(), before.begun.end());
    record.unfinished.insert(before.unfinished.begin(), before.unfinished.end());
  }
  refuse_partially_lost_partition_trees(target, plan_, continuation_->ledger);
  if (continuation_->inconsistent) empty_broken_tables(target, plan_, continuation_->ledger, target_changed_, log_);
  std::map<TaskId, copy::LoadedRows> done = tasks_done(plan_, continuation_->ledger);
  // They show what the tables held then.
  if (continuation_->inconsistent) {
    std::erase_if(done, [&](const auto& task) {
      const bool is_view = plan_.graph[task.first].traits().stores_rows_of_other_tables;
      if (is_view) copy::forget_task(target, plan_.task_marks[task.first]);
      return is_view;
    });
  }
  refuse_reloading_tables_with_triggers(plan_, done);
  copy::update_ledger(target, record.to_text());
  of_target.add(copy::register_session(target));
  return done;
}

std::map<TaskId, copy::LoadedRows> RunSessions::recover(const Error& lost) {
  log_.warning(fmt::format("{}; going on when the servers can be reached", lost.describe()));
  const auto now = SteadyClock::now();
  if (fruitless_ == 0) fruitless_since_ = now;
  const bool hopeless = fruitless_ >= kTriesAtLeast && now > fruitless_since_ + options_.retry_for;
  Error last = lost;
  while (!hopeless && SteadyClock::now() < now + options_.retry_for) {
    pause();
    try {
      std::map<TaskId, copy::LoadedRows> done = try_to_recover();
      const bool something_done = done.size() > done_before_;
      fruitless_ = something_done ? 0 : fruitless_ + 1;
      if (something_done) pause_ = kFirstPause;
      done_before_ = done.size();
      return done;
    } catch (const Error& error) {
      // A refusal in a language that we do not read may pass, too.
      const bool unknown = error.kind() == ErrorKind::kServer && error.sqlstate().empty();
      if (!error.is_retryable() && !unknown) throw;
      log_.notice(fmt::format("not yet: {}", error.describe()));
      last = error;
    }
  }
  throw Error(last)
      .hint("given up; the servers must be reachable again")
      .remedy(Remedy::kResume)
      .remedy(Remedy::kWaitLonger);
}

std::set<schema::Oid> RunSessions::large_objects_of_source() {
  if (source) return copy::find_large_objects(*source);
  return archive ? store::large_objects_of(archive->data.archive()) : std::set<schema::Oid>();
}

void RunSessions::pause() {
  pgsluice::pause(cancel_, pause_);
  pause_ = std::min(2 * pause_, kLongestPause);
}

std::map<TaskId, copy::LoadedRows> RunSessions::try_to_recover() {
  target = open_session(target_info, "definitions", encoding, log_, cancel_);
  schema::apply_expression_settings(target, plan_.catalog.expression_settings);
  const std::optional<copy::LedgerContents> ledger = take_target_again(target, record.id, of_target.all());
  if (!ledger) {
    require_finished();
    return {};
  }
  if (copy::has_crashed(target)) log_.warning("the target has crashed: what it has lost is done again");
  refuse_partially_lost_partition_trees(target, plan_, *ledger);
  of_target.add(copy::register_session(target));
  std::map<TaskId, copy::LoadedRows> done = tasks_done(plan_, *ledger);
  refuse_reloading_tables_with_triggers(plan_, done);
  restore_holder(done, *ledger);
  copy::update_ledger(target, record.to_text());
  return done;
}

// The connection may be lost while the ledger is dropped: it is gone then, and nothing is missing.
void RunSessions::require_finished() {
  nothing_left_ = RunFolder(options_.work_folder).is_finished(finished_mark(record, target));
  if (nothing_left_) return;
  throw Error(ErrorKind::kState, "the ledger of this run is gone")
      .on(Side::kTarget)
      .object("schema pgsluice")
      .remedy(Remedy::kStartOver)
      .hint("somebody has dropped it, or the database: begin anew");
}

// A worker's session that still sees the snapshot, which it has exported again. The others are closed: a lock that one
// of them has may be what another session waits for, which in turn blocks the next lock.
std::optional<pg::Connection> RunSessions::take_over_snapshot() {
  std::optional<pg::Connection> heir;
  const bool on_a_standby = record.mark.timeline.empty();
  for (pg::Connection& session : former_sources) {
    if (heir || on_a_standby || !session.in_transaction()) continue;
    try {
      record.mark.snapshot = pg::export_again(session, record.mark.snapshot);
      session.execute("SET application_name = 'pgsluice: snapshot'");
      heir = std::move(session);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kCancelled) throw;
      log_.debug(fmt::format("does not see the snapshot any more: {}", error.describe()));
    }
  }
  former_sources.clear();
  return heir;
}

// The snapshot as long as rows are missing: the same if its holder lives or another session hands it on, else one that
// shows the same rows.
void RunSessions::restore_holder(const std::map<TaskId, copy::LoadedRows>& done, const copy::LedgerContents& ledger) {
  const auto is_missing = [&](TaskId id) { return plan_.graph[id].traits().needs_snapshot && !done.contains(id); };
  bool missing = false;
  for (TaskId id = 0; id < plan_.graph.size() && !missing; ++id) missing = is_missing(id);
  if (!missing || !source_info || alive(holder)) {
    former_sources.clear();
    return;
  }
  holder.reset();
  if (std::optional<pg::Connection> heir = take_over_snapshot()) {
    schema::lock_tables(*heir, tables_to_copy(plan_.catalog));
    holder = std::move(heir);
    log_.info("the session that kept the snapshot was lost: another one keeps it now");
    return;
  }
  pg::Connection session = open_session(*source_info, "snapshot", encoding, log_, cancel_);
  const pg::SnapshotMark mark = pg::mark_snapshot(session, pg::export_snapshot(session));
  auto difference = pg::why_not_comparable(record.mark, mark, plan_.catalog.has_unlogged_tables());
  if (!difference && !pg::show_the_same(record.mark, mark)) {
    difference = find_change(session, record.mark, mark, plan_.catalog, ledger, log_);
  }
  if (difference) {
    throw Error(ErrorKind::kState,
                fmt::format("the snapshot is gone, and a new one may show other rows: {}", *difference))
        .on(Side::kSource)
        .remedy(Remedy::kResumeInconsistent)
        .remedy(Remedy::kStartOver);
  }
  schema::lock_tables(session, tables_to_copy(plan_.catalog));
  record.mark = mark;
  holder = std::move(session);
  log_.info("nothing has changed on the source: a new snapshot shows the same rows");
}

}  // namespace pgsluice::pipeline
