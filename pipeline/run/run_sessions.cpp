#include "pipeline/run/run_sessions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/wait.h"
#include "copy/large_objects.h"
#include "pg/transaction.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/prepare/sessions.h"
#include "pipeline/prepare/source_changes.h"
#include "pipeline/run/reload.h"
#include "schema/catalog/catalog.h"

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

// What was asked to be replaced.
void RunSessions::clear_target() {
  // Those that this run has begun are its own.
  const bool begun = continuation_ && continuation_->record.has_begun(Step::kLargeObjects);
  const bool objects = options_.drop_if_exists && options_.large_objects &&
                       options_.steps.contains(Step::kLargeObjects) && source && !begun;
  // Looked at before anything is dropped.
  std::vector<schema::Oid> large_objects;
  if (objects) large_objects = copy::find_large_objects_to_drop(*source, target);
  if (!plan_.drops.empty() || !plan_.tables_to_empty.empty()) {
    pg::Transaction transaction(target);
    schema::drop(target, plan_.drops);
    empty_tables();
    transaction.commit();
    target_changed_ = true;
  }
  if (large_objects.empty()) return;
  target_changed_ = true;
  copy::drop_large_objects(target, large_objects);
}

// All at once, since keys may refer to one from another.
void RunSessions::empty_tables() {
  if (plan_.tables_to_empty.empty()) return;
  std::vector<std::string> tables;
  std::string triggers_off;
  std::string triggers_on;
  for (const schema::Relation* table : plan_.tables_to_empty) {
    const bool has_own_rows =
        table->kind == schema::RelationKind::kTable && !plan_.existing.partitioned.contains(table->oid);
    tables.push_back((has_own_rows ? "ONLY " : "") + table->quoted());
    const auto off = plan_.existing.triggers_off.find(table->oid);
    if (off == plan_.existing.triggers_off.end()) continue;
    triggers_off += off->second.before;
    triggers_on += off->second.after;
  }
  log_.info(fmt::format("{} tables are emptied first", tables.size()));
  target.execute(fmt::format("{}TRUNCATE {}; {}", triggers_off, fmt::join(tables, ", "), triggers_on));
}

void RunSessions::forget_earlier_run() {
  if (options_.earlier_run != EarlierRun::kForget || !copy::read_ledger(target)) return;
  pg::Transaction transaction(target);
  copy::drop_ledger(target);
  transaction.commit();
  target_changed_ = true;
  log_.info("the state of an earlier run was dropped");
}

std::map<TaskId, copy::LoadedRows> RunSessions::begin() {
  clear_target();
  forget_earlier_run();
  const RunFolder folder(options_.work_folder);
  folder.keep_filters(databases_mark(record.mark, target), is_stepwise(options_) ? record.filters : "");
  if (!options_.ledger) return {};
  folder.begin(record.id);
  std::map<TaskId, copy::LoadedRows> done;
  if (continuation_) {
    // What was begun as a whole, or step by step, stays so.
    const RunRecord& before = continuation_->record;
    record.was_all_tried = before.was_all_tried;
    if (is_stepwise(options_)) {
      record.stepwise = before.stepwise;
      record.options.insert(before.options.begin(), before.options.end());
      if (record.filters.empty()) record.filters = before.filters;
      record.begun.insert(before.begun.begin(), before.begun.end());
      record.unfinished.insert(before.unfinished.begin(), before.unfinished.end());
    }
    refuse_partially_lost_partition_trees(continuation_->ledger);
    if (continuation_->inconsistent) empty_broken_tables();
    done = tasks_done(plan_, continuation_->ledger);
    // They show what the tables held then.
    if (continuation_->inconsistent) {
      std::erase_if(done, [&](const auto& task) {
        const bool is_view = plan_.graph[task.first].traits().shows_rows_of_others;
        if (is_view) copy::forget_task(target, plan_.task_marks[task.first]);
        return is_view;
      });
    }
    refuse_reloading_tables_with_triggers(done);
    copy::update_ledger(target, record.to_text());
    of_target.add(copy::register_session(target));
  } else {
    of_target.add(copy::create_ledger(target, record.to_text()));
  }
  target_changed_ = true;
  done_before_ = done.size();
  return done;
}

// Rows that go through a root may be in any of its partitions, and their parts say only where they came from: when a
// crash has emptied the unlogged ones among them, nobody can tell which rows are missing.
void RunSessions::refuse_partially_lost_partition_trees(const copy::LedgerContents& ledger) {
  if (!copy::has_crashed(target)) return;
  struct Tree {
    const schema::Relation* root = nullptr;
    bool unlogged = false;
    bool logged = false;
    bool loaded = false;
  };
  std::map<schema::Oid, Tree> trees;
  for (const TablePlan& table : plan_.tables) {
    if (table.into == table.table) continue;
    Tree& tree = trees[table.into->oid];
    tree.root = table.into;
    (table.table->unlogged ? tree.unlogged : tree.logged) = true;
    for (const copy::LedgerPart& part : ledger.parts) {
      if (part.relation == table.table->oid && part.loaded.rows > 0) tree.loaded = true;
    }
  }
  for (const auto& [oid, tree] : trees) {
    if (!tree.unlogged || !tree.logged) continue;
    const std::string has_rows = fmt::format("SELECT EXISTS (SELECT FROM {})", tree.root->quoted());
    if (!tree.loaded && !target.execute(has_rows)[0].boolean(0)) continue;
    throw Error(ErrorKind::kState, fmt::format("the target has crashed, and the unlogged partitions of {} are empty: "
                                               "which of its rows are missing cannot be told",
                                               tree.root->display()))
        .on(Side::kTarget)
        .remedy(Remedy::kStartOver);
  }
}

// A crash of the target empties its unlogged tables, whatever was built on them by then. Rows that come again would
// fire the triggers, and TRUNCATE is refused to a table that a key refers to.
void RunSessions::refuse_reloading_tables_with_triggers(const std::map<TaskId, copy::LoadedRows>& done) const {
  for (TaskId id = 0; id < plan_.graph.size(); ++id) {
    if (!plan_.graph[id].copies_rows() || done.contains(id)) continue;
    for (const TaskGraph::Edge& edge : plan_.graph.followers(id)) {
      const schema::TocEntry* entry = plan_.graph[edge.to].entry;
      const bool in_the_way = entry != nullptr && (entry->kind == "TRIGGER" || entry->kind == "FK CONSTRAINT");
      if (!in_the_way || !done.contains(edge.to)) continue;
      throw Error(ErrorKind::kState, fmt::format("{} have to be copied again, and {} is there already",
                                                 plan_.graph[id].name, plan_.graph[edge.to].name))
          .on(Side::kTarget)
          .remedy(Remedy::kStartOver);
    }
  }
}

// Empties tables that are loaded anew: partly loaded ones, since rows may have moved between parts, and mended ones.
void RunSessions::empty_broken_tables() {
  std::set<schema::Oid> kept;
  for (const auto& [task, loaded] : tasks_done(plan_, continuation_->ledger)) {
    if (plan_.graph[task].range != nullptr && plan_.graph[task].range->loaded) {
      kept.insert(plan_.graph[task].relation->oid);
    }
  }
  std::set<schema::Oid> again;
  for (const copy::LedgerPart& part : continuation_->ledger.parts) {
    if (!kept.contains(part.relation)) again.insert(part.relation);
  }
  pg::Transaction transaction(target);
  make_loadable(target, plan_, again, continuation_->ledger, log_);
  for (const copy::LedgerPart& part : continuation_->ledger.parts) {
    if (kept.contains(part.relation)) continue;
    copy::forget_parts(target, part.relation);
    for (const TablePlan& table : plan_.tables) {
      if (table.table->oid != part.relation) continue;
      // Their load itself takes them away, and leaves the extension's own.
      if (table.table->extension_condition) continue;
      const bool through_root = table.into != table.table;
      target.execute(fmt::format("TRUNCATE {}{}", through_root ? "" : "ONLY ", table.into->quoted()));
      log_.info(fmt::format("table {} is copied anew", table.table->display()));
    }
  }
  transaction.commit();
  target_changed_ = true;
  auto& parts = continuation_->ledger.parts;
  parts.erase(std::remove_if(parts.begin(), parts.end(),
                             [&](const copy::LedgerPart& part) { return !kept.contains(part.relation); }),
              parts.end());
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
  refuse_partially_lost_partition_trees(*ledger);
  of_target.add(copy::register_session(target));
  std::map<TaskId, copy::LoadedRows> done = tasks_done(plan_, *ledger);
  refuse_reloading_tables_with_triggers(done);
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
// of them has may be what somebody waits for, who is waited for by the next lock in turn.
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

// The snapshot as long as rows are missing: the same if its holder lives or somebody hands it on, else one that shows
// the same rows.
void RunSessions::restore_holder(const std::map<TaskId, copy::LoadedRows>& done, const copy::LedgerContents& ledger) {
  const auto is_missing = [&](TaskId id) { return plan_.graph[id].traits().needs_snapshot && !done.contains(id); };
  bool missing = false;
  for (TaskId id = 0; id < plan_.graph.size() && !missing; ++id) missing = is_missing(id);
  if (!missing || alive(holder)) {
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
