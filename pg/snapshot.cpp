#include "pg/snapshot.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>

#include "base/sqlstate.h"
#include "pg/database_change.h"
#include "pg/quote.h"
#include "pg/version.h"
#include "pgsluice/error.h"

namespace pgsluice::pg {

namespace {

constexpr std::string_view kBegin = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

SnapshotIdentity read_identity(Connection& connection, std::string name) {
  const Row row = connection.execute(
      "SELECT pg_catalog.txid_current_snapshot()::text, pg_catalog.pg_postmaster_start_time()::text")[0];
  return {.name = std::move(name),
          .text = std::string(row.text(0)),
          .system_identifier = system_identifier(connection),
          .server_started = std::string(row.text(1))};
}

std::string oid_of_database(Connection& connection) {
  const std::string sql = "SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()";
  return std::string(connection.execute(sql)[0].text(0));
}

}  // namespace

std::string system_identifier(Connection& connection) {
  const Row may = connection.execute(
      "SELECT coalesce(pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pg_catalog.pg_control_system()'),"
      " 'EXECUTE'), false)")[0];
  if (!may.boolean(0)) return "";
  return std::string(
      connection.execute("SELECT system_identifier::text FROM pg_catalog.pg_control_system()")[0].text(0));
}

SnapshotIdentity export_snapshot(Connection& connection) {
  connection.execute(kBegin);
  const Result exported = connection.execute("SELECT pg_catalog.pg_export_snapshot()");
  return read_identity(connection, std::string(exported[0].text(0)));
}

void require_read_in_time(Connection& connection, const std::string& read_before) {
  if (read_before.empty()) return;
  const std::array<std::string, 1> parameters = {read_before};
  if (connection.execute("SELECT pg_catalog.clock_timestamp() < $1::timestamptz", parameters)[0].boolean(0)) return;
  throw Error(ErrorKind::kState, "the snapshot is older than old_snapshot_threshold: rows that it shows may be gone")
      .on(connection.side())
      .sqlstate(sqlstate::kSnapshotTooOld)
      .remedy(Remedy::kStartOver)
      .hint("set old_snapshot_threshold to -1 on the source (it takes a restart), and begin anew");
}

SnapshotMark identity_of(Connection& connection) {
  return {.snapshot = {.system_identifier = system_identifier(connection)}, .database = oid_of_database(connection)};
}

bool is_log_on_disk(Connection& connection, const SnapshotMark& mark) {
  if (mark.log_position.empty()) return false;
  const bool renamed = connection.server_version() >= since::kWalNames;
  return connection
      .execute(fmt::format("SELECT pg_catalog.{}() >= {}::pg_catalog.pg_lsn",
                           renamed ? "pg_current_wal_flush_lsn" : "pg_current_xlog_flush_location",
                           quote_literal(mark.log_position)))[0]
      .boolean(0);
}

SnapshotMark begin_mark(Connection& connection, const SnapshotIdentity& snapshot) {
  const bool renamed = connection.server_version() >= since::kWalNames;
  SnapshotMark mark{.snapshot = snapshot, .database = oid_of_database(connection)};
  // Comes first: reading catalogs tidies up pages, which lengthens the log without a commit that brings it to disk.
  if (!connection.execute("SELECT pg_catalog.pg_is_in_recovery()")[0].boolean(0)) {
    const Row log = connection.execute(renamed ? "SELECT l, pg_catalog.substr(pg_catalog.pg_walfile_name(l), 1, 8)"
                                                 " FROM pg_catalog.pg_current_wal_insert_lsn() l"
                                               : "SELECT l, pg_catalog.substr(pg_catalog.pg_xlogfile_name(l), 1, 8)"
                                                 " FROM pg_catalog.pg_current_xlog_insert_location() l")[0];
    mark.log_position = log.text(0);
    mark.timeline = log.text(1);
  }
  const Result limit = connection.execute(
      "SELECT (pg_catalog.now() + setting::integer * interval '1 minute')::text FROM pg_catalog.pg_settings"
      " WHERE name = 'old_snapshot_threshold' AND setting <> '-1'");
  if (!limit.empty()) mark.read_before = limit[0].text(0);
  if (renamed) {
    // Null for those who may not see it.
    const Result started = connection.execute(
        "SELECT backend_start::text FROM pg_catalog.pg_stat_activity WHERE backend_type = 'checkpointer'");
    if (!started.empty()) mark.checkpointer_started = started[0].optional_text(0).value_or("");
  }
  return mark;
}

void complete_mark(Connection& connection, SnapshotMark& mark) {
  if (mark.definitions.empty()) mark.definitions = definitions_mark(connection);
  if (mark.log_position.empty()) return;
  // The server's log writer gets there by itself, three times its delay of 200 ms later.
  constexpr int kLooks = 10;
  constexpr std::chrono::milliseconds kPause{100};
  for (int look = 0; look < kLooks && !mark.log_is_on_disk; ++look) {
    if (look > 0) connection.wait({}, kPause);
    mark.log_is_on_disk = is_log_on_disk(connection, mark);
  }
}

SnapshotMark mark_snapshot(Connection& connection, const SnapshotIdentity& snapshot) {
  SnapshotMark mark = begin_mark(connection, snapshot);
  complete_mark(connection, mark);
  return mark;
}

SnapshotIdentity export_again(Connection& connection, SnapshotIdentity snapshot) {
  if (connection.execute("SELECT pg_catalog.pg_is_in_recovery()")[0].boolean(0)) return snapshot;
  snapshot.name = connection.execute("SELECT pg_catalog.pg_export_snapshot()")[0].text(0);
  return snapshot;
}

bool of_one_database(const SnapshotMark& a, const SnapshotMark& b) {
  return a.snapshot.system_identifier == b.snapshot.system_identifier && a.database == b.database;
}

namespace {

// Parses "16/B374D848"; 0 for another text.
std::uint64_t position_of(const std::string& log_position) {
  constexpr unsigned kHalf = 32;
  std::uint32_t high = 0;
  std::uint32_t low = 0;
  const char* end = log_position.data() + log_position.size();
  const auto [slash, failed] = std::from_chars(log_position.data(), end, high, 16);
  if (failed != std::errc() || slash == end) return 0;
  std::from_chars(slash + 1, end, low, 16);
  return (static_cast<std::uint64_t>(high) << kHalf) | low;
}

bool on_standby(const SnapshotMark& mark) { return mark.timeline.empty(); }

// As long as it runs, a standby replays its primary's log and never goes back. Behind a restart it may show less than
// before for a while.
std::optional<std::string> why_not_comparable_on_standby(const SnapshotMark& earlier, const SnapshotMark& later) {
  if (earlier.checkpointer_started.empty() || later.checkpointer_started.empty()) {
    return "the source is a standby, and its user may not see whether it was restarted (pg_read_all_stats)";
  }
  if (earlier.snapshot.server_started != later.snapshot.server_started ||
      earlier.checkpointer_started != later.checkpointer_started) {
    return "the source is a standby, and was restarted since";
  }
  return std::nullopt;
}

}  // namespace

bool show_the_same(const SnapshotMark& a, const SnapshotMark& b) {
  return a.snapshot.text == b.snapshot.text && !on_standby(a) && !on_standby(b);
}

std::optional<std::string> why_not_comparable(const SnapshotMark& earlier, const SnapshotMark& later, bool unlogged) {
  if (earlier.snapshot.system_identifier.empty()) {
    return "the source's user may not read its system identifier (pg_control_system)";
  }
  if (!of_one_database(earlier, later)) return "the source is another database";
  if (on_standby(earlier) && on_standby(later)) return why_not_comparable_on_standby(earlier, later);
  if (on_standby(earlier) || on_standby(later)) return "one of the runs read a standby, and the other its primary";
  if (earlier.timeline != later.timeline) return "the source was promoted or restored since";
  if (position_of(later.log_position) < position_of(earlier.log_position)) {
    return "the source was set back to an earlier state since";
  }
  const bool restarted = earlier.snapshot.server_started != later.snapshot.server_started;
  if (!earlier.log_is_on_disk && restarted) {
    return "the source was restarted before its log was seen to be on disk";
  }
  if (!earlier.log_is_on_disk &&
      (earlier.checkpointer_started.empty() || earlier.checkpointer_started != later.checkpointer_started)) {
    return "the source may have crashed before its log was seen to be on disk";
  }
  if (unlogged && earlier.checkpointer_started.empty()) {
    return "there are unlogged tables, and the source's user may not see whether the server has crashed "
           "(pg_read_all_stats)";
  }
  if (unlogged && earlier.checkpointer_started != later.checkpointer_started) {
    return "the source was restarted since, and there are unlogged tables, which a crash empties";
  }
  return std::nullopt;
}

std::optional<std::string> why_not_the_same(const SnapshotMark& earlier, const SnapshotMark& later, bool unlogged) {
  if (auto reason = why_not_comparable(earlier, later, unlogged)) return reason;
  if (show_the_same(earlier, later)) return std::nullopt;
  if (on_standby(later))
    return "the source is a standby, whose snapshots do not name the transactions that are running";
  return fmt::format("transactions ran on the source since (its snapshot was {} and is {})", earlier.snapshot.text,
                     later.snapshot.text);
}

SnapshotIdentity import_snapshot(Connection& connection, const std::string& name) {
  connection.execute(kBegin);
  connection.execute(fmt::format("SET TRANSACTION SNAPSHOT {}", quote_literal(name)));
  return read_identity(connection, name);
}

void import_snapshot(Connection& connection, const SnapshotIdentity& snapshot) {
  const SnapshotIdentity seen = import_snapshot(connection, snapshot.name);
  // Another user may not see which system it is.
  const bool same_system = seen.system_identifier == snapshot.system_identifier || seen.system_identifier.empty() ||
                           snapshot.system_identifier.empty();
  if (seen.text != snapshot.text || seen.server_started != snapshot.server_started || !same_system) {
    connection.execute("ROLLBACK");
    throw Error(ErrorKind::kState,
                fmt::format("the snapshot {} on the server is not the one of this run", snapshot.name))
        .on(connection.side())
        .hint("the server was restarted, or the connection led to another server; run again");
  }
}

}  // namespace pgsluice::pg
