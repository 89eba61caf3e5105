#include "pipeline/run/server_watch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/duration.h"
#include "base/wait.h"
#include "pg/version.h"
#include "pipeline/plan/options.h"
#include "pipeline/prepare/sessions.h"

namespace pgsluice::pipeline {

namespace {

constexpr std::chrono::milliseconds kLongestPatience = std::chrono::minutes(10);
constexpr std::chrono::milliseconds kShortestPeriod{100};
constexpr int kPeriodsBetweenAges = 5;

// A server stops giving transaction ids 3 million before the end of the 2^31, and asks for VACUUM long before.
constexpr std::int64_t kLastTransaction = 2'146'483'648;
constexpr std::int64_t kNearTheEnd = 1'500'000'000;
constexpr std::int64_t kMillion = 1'000'000;

std::string_view name_of(const std::string& application) {
  return application.empty() ? std::string_view("no application name") : application;
}

std::string describe(const StalledSession::Blocker& blocker) {
  if (blocker.pid == 0) return "a prepared transaction (pg_prepared_xacts)";
  std::string text = fmt::format("pid {} ({}, {}", blocker.pid, blocker.user, name_of(blocker.application));
  if (!blocker.state.empty()) text += ", " + blocker.state;
  if (blocker.in_transaction.count() > 0) text += ", its transaction for " + format_duration(blocker.in_transaction);
  return text + ")";
}

StalledSession::Blocker read_blocker(const pg::Row& row) {
  return {.pid = static_cast<int>(row.integer(5)),
          .user = row.optional_text(6).value_or("unknown user"),
          .application = row.optional_text(7).value_or(""),
          .state = row.optional_text(8).value_or(""),
          .in_transaction = std::chrono::seconds(row.integer(9))};
}

}  // namespace

bool StalledSession::waits_for_others() const { return !blockers.empty() || wait == "IPC: SyncRep"; }

// Returns only the first words of a statement, which tell what it is: the rest may hold a password.
std::vector<StalledSession> find_stalled_sessions(pg::Connection& connection) {
  if (connection.server_version() < pg::since::kBlockingPids) return {};
  const pg::Result found = connection.execute(
      "SELECT a.pid, a.application_name, coalesce(a.wait_event_type || ': ' || a.wait_event, ''),"
      " coalesce(pg_catalog.btrim(substring("
      "pg_catalog.regexp_replace(a.query, '^(INSERT INTO pgsluice|LOCK TABLE)[^;]*;\\s*', '') FROM '^[A-Z ]+')), ''),"
      " coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - a.query_start), 0)::bigint,"
      " b.pid, c.usename, c.application_name, c.state,"
      " coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - c.xact_start), 0)::bigint"
      " FROM pg_catalog.pg_stat_activity a"
      " LEFT JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS b(pid) ON true"
      " LEFT JOIN pg_catalog.pg_stat_activity c ON c.pid = b.pid"
      " WHERE a.datname = pg_catalog.current_database() AND a.application_name LIKE 'pgsluice: %'"
      " AND a.state = 'active' AND a.pid <> pg_catalog.pg_backend_pid() ORDER BY a.pid, b.pid");
  std::vector<StalledSession> sessions;
  for (const pg::Row row : found) {
    const int pid = static_cast<int>(row.integer(0));
    if (sessions.empty() || sessions.back().pid != pid) {
      sessions.push_back({.pid = pid,
                          .application = std::string(row.text(1)),
                          .wait = std::string(row.text(2)),
                          .command = std::string(row.text(3)),
                          .since = std::chrono::seconds(row.integer(4)),
                          .blockers = {}});
    }
    if (row.optional_text(5)) sessions.back().blockers.push_back(read_blocker(row));
  }
  return sessions;
}

std::string describe(const StalledSession& session, Side side) {
  std::string text = fmt::format("on the {}, \"{}\" (pid {})", to_string(side), session.application, session.pid);
  if (session.blockers.empty()) {
    text += fmt::format(" has run {} for {}", session.command.empty() ? "its statement" : session.command,
                        format_duration(session.since));
    return session.wait.empty() ? text : text + fmt::format(" ({})", session.wait);
  }
  std::vector<std::string> blockers;
  for (const StalledSession::Blocker& blocker : session.blockers) blockers.push_back(describe(blocker));
  text += fmt::format(" has waited for {} ({}) by {}", format_duration(session.since), session.wait,
                      fmt::join(blockers, " and "));
  const int first = session.blockers.front().pid;
  return first == 0 ? text : text + fmt::format("; SELECT pg_terminate_backend({}) would end that one", first);
}

TransactionAges read_transaction_ages(pg::Connection& connection) {
  const pg::Row row = connection.execute(
      "SELECT coalesce((SELECT pg_catalog.max(pg_catalog.age(backend_xmin)) FROM pg_catalog.pg_stat_activity"
      " WHERE datname = pg_catalog.current_database() AND application_name LIKE 'pgsluice: %'), 0)::bigint,"
      " (SELECT pg_catalog.age(datfrozenxid) FROM pg_catalog.pg_database"
      " WHERE datname = pg_catalog.current_database())::bigint,"
      " pg_catalog.current_setting('autovacuum_freeze_max_age')::bigint")[0];
  return {.snapshot = row.integer(0), .database = row.integer(1), .autovacuum_freeze_max_age = row.integer(2)};
}

std::optional<std::string> age_warning(const TransactionAges& ages, Side side) {
  if (ages.database >= kNearTheEnd) {
    return fmt::format(
        "the {}'s database is {} million transactions old, and takes no writes any more at {} million: VACUUM it{}",
        to_string(side), ages.database / kMillion, kLastTransaction / kMillion,
        side == Side::kSource ? " when the clone has released its snapshot, or stop the clone" : "");
  }
  if (ages.autovacuum_freeze_max_age > 0 && ages.snapshot >= ages.autovacuum_freeze_max_age) {
    return fmt::format(
        "the clone's snapshot is {} million transactions old: until its rows are read, VACUUM on the {} can neither "
        "freeze nor remove what is newer",
        ages.snapshot / kMillion, to_string(side));
  }
  return std::nullopt;
}

ServerWatch::ServerWatch(const RunContext& context)
    : context_(context),
      stop_(context.cancel),
      moved_at_(SteadyClock::now()),
      period_(std::max(context.options.stalled_after, kShortestPeriod)),
      patience_(period_),
      thread_([this] { run(); }) {}

ServerWatch::~ServerWatch() { stop_.cancel(); }

void ServerWatch::run() {
  int periods = 0;
  has_moved();
  while (wait_for({}, stop_.token(), period_) == WaitResult::kTimeout) {
    try {
      if (has_moved()) {
        patience_ = period_;
      } else if (SteadyClock::now() - moved_at_ >= patience_) {
        context_.pace.pace().paused ? report_pause() : report_stall();
        patience_ = std::min(2 * patience_, std::max(kLongestPatience, period_));
      }
      if (periods++ % kPeriodsBetweenAges == 0) report_ages();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kCancelled) return;
      context_.log.notice(fmt::format("cannot look after the servers: {}", error.describe()));
    }
  }
}

bool ServerWatch::has_moved() {
  const ProgressSnapshot now = context_.progress.snapshot();
  if (now.copied.count == bytes_ && now.tasks_done == tasks_) return false;
  bytes_ = now.copied.count;
  tasks_ = now.tasks_done;
  moved_at_ = SteadyClock::now();
  return true;
}

void ServerWatch::report_pause() {
  const auto paused_for = context_.pace.paused_for();
  if (!paused_for) return;
  const auto snapshot_age = context_.progress.snapshot().snapshot_age;
  context_.log.notice(fmt::format(
      "paused for {}{}", format_duration(*paused_for),
      snapshot_age ? fmt::format("; the snapshot, which keeps VACUUM on the source from its work, is {} old",
                                 format_duration(*snapshot_age))
                   : ""));
}

void ServerWatch::report_stall() {
  const ProgressSnapshot now = context_.progress.snapshot();
  std::vector<std::string> names;
  for (const ProgressSnapshot::Running& running : now.running) names.push_back(running.name);
  context_.log.notice(fmt::format("no row and no step has ended for {}; running: {}",
                                  format_duration(SteadyClock::now() - moved_at_), fmt::join(names, ", ")));
  report_stalled_sessions(Side::kTarget);
  if (context_.source) report_stalled_sessions(Side::kSource);
}

void ServerWatch::report_stalled_sessions(Side side) {
  std::optional<pg::Connection> connection = open(side);
  if (!connection) {
    context_.log.notice("all sessions that this run may have on the target are at work: see pg_stat_activity there");
    return;
  }
  for (const StalledSession& session : find_stalled_sessions(*connection)) {
    const std::string text = describe(session, side);
    if (session.waits_for_others()) {
      context_.log.warning(text);
    } else {
      context_.log.notice(text);
    }
  }
  connection.reset();
  slot_.reset();
}

void ServerWatch::report_ages() {
  for (const Side side : {Side::kSource, Side::kTarget}) {
    if (side == Side::kSource && !context_.source) continue;
    std::optional<pg::Connection> connection = open(side);
    if (!connection) continue;
    const std::optional<std::string> warning = age_warning(read_transaction_ages(*connection), side);
    connection.reset();
    slot_.reset();
    std::string& before = side == Side::kSource ? warned_of_source_ : warned_of_target_;
    if (!warning || *warning == before) continue;
    before = *warning;
    context_.log.warning(*warning);
  }
}

// The source has room for one session beside the workers' and the holder's: pg_dump has ended.
std::optional<pg::Connection> ServerWatch::open(Side side) {
  slot_.reset();
  if (side == Side::kTarget) {
    slot_ = context_.target_slots.try_take();
    if (!slot_) return std::nullopt;
  }
  const pg::ConnInfo& where = side == Side::kSource ? *context_.source : context_.target;
  return open_session(where, "watch", context_.encoding, context_.log, stop_.token());
}

}  // namespace pgsluice::pipeline
