#include "copy/ledger.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/duration.h"
#include "base/sqlstate.h"
#include "base/wait.h"
#include "pg/quote.h"
#include "pg/session_proof.h"
#include "pg/transaction.h"
#include "pgsluice/error.h"

namespace pgsluice::copy {

namespace {

constexpr std::chrono::milliseconds kFirstPause{10};  // before the sessions are checked again; doubled after each check
constexpr std::chrono::milliseconds kLongestPause{1000};
constexpr std::chrono::seconds kTerminationTimeout{60};

// Stands for "no lower bound": a column of the primary key cannot be null, and no part begins at the smallest bigint.
constexpr std::int64_t kNoBeginning = std::numeric_limits<std::int64_t>::min();

constexpr std::string_view kCreate = R"(
CREATE SCHEMA pgsluice;
CREATE TABLE pgsluice.run (one boolean PRIMARY KEY DEFAULT true CHECK (one), what text NOT NULL);
CREATE TABLE pgsluice.session (pid integer, started timestamptz, PRIMARY KEY (pid, started));
CREATE TABLE pgsluice.task (mark uuid PRIMARY KEY);
CREATE TABLE pgsluice.part (
  relation oid, cut_by text, nulls boolean, low bigint, high bigint,
  file_node oid NOT NULL, statement uuid NOT NULL, rows bigint, bytes bigint, digest uuid,
  is_binary boolean,
  PRIMARY KEY (relation, cut_by, nulls, low));
CREATE UNLOGGED TABLE pgsluice.unlogged_part (LIKE pgsluice.part INCLUDING INDEXES);
CREATE UNLOGGED TABLE pgsluice.uncrashed (is_so boolean);
INSERT INTO pgsluice.uncrashed VALUES (true);
COMMENT ON SCHEMA pgsluice IS 'record of an unfinished pgsluice clone; it is dropped when the clone is complete')";

std::string_view table_of(const LedgerPart& part) { return part.unlogged ? "unlogged_part" : "part"; }

std::string number_or_null(const std::optional<std::int64_t>& number) {
  return number ? fmt::format("'{}'", *number) : "NULL";
}

// The columns of the primary key.
std::string key_of(const LedgerPart& part) {
  return fmt::format("{}::pg_catalog.oid, {}, {}, '{}'::pg_catalog.int8", part.relation,
                     pg::quote_literal(part.bounds.by), part.bounds.nulls, part.bounds.from.value_or(kNoBeginning));
}

LedgerPart part_of(const pg::Row& row, bool unlogged) {
  LedgerPart part{.relation = row.oid(0), .file_node = row.oid(5), .statement = std::string(row.text(6))};
  part.unlogged = unlogged;
  part.bounds.by = row.text(1);
  part.bounds.nulls = row.boolean(2);
  if (row.integer(3) != kNoBeginning) part.bounds.from = row.integer(3);
  if (!row.is_null(4)) part.bounds.to = row.integer(4);
  part.loaded = {.rows = row.integer(7), .bytes = {row.integer(8)}};
  if (row.boolean(10)) part.loaded.format = CopyFormat::kBinary;
  if (!row.is_null(9)) part.loaded.digest = Digest::parse(row.text(9));
  return part;
}

bool is_there(pg::Connection& target) {
  return target.execute("SELECT pg_catalog.to_regclass('pgsluice.uncrashed') IS NOT NULL")[0].boolean(0);
}

// A timestamptz as text that every session reads as the same moment: each may have another DateStyle and time zone.
std::string text_of_time(std::string_view column) {
  return fmt::format("pg_catalog.to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'", column);
}

// Returns a FROM clause that selects those of these sessions that still exist, except this one.
std::string from_living(const std::vector<Backend>& sessions) {
  std::string rows;
  for (const Backend& session : sessions) {
    rows += fmt::format("{}({}, {}::timestamptz)", rows.empty() ? "" : ", ", session.pid,
                        pg::quote_literal(session.started));
  }
  return fmt::format(
      " FROM (VALUES {}) AS s(pid, started) JOIN pg_catalog.pg_stat_activity a ON a.pid = s.pid"
      " AND a.backend_start = s.started WHERE a.pid <> pg_catalog.pg_backend_pid()",
      rows);
}

// Names of the enabled event triggers that fire on DDL.
std::string event_triggers_of(pg::Connection& target) {
  const pg::Result names = target.execute(
      "SELECT pg_catalog.string_agg(pg_catalog.quote_ident(evtname), ', ' ORDER BY evtname)"
      " FROM pg_catalog.pg_event_trigger WHERE evtenabled IN ('O', 'A') AND evtevent LIKE 'ddl%'");
  return std::string(names[0].optional_text(0).value_or(""));
}

}  // namespace

Backend create_ledger(pg::Connection& target, std::string_view run) {
  try {
    pg::Transaction transaction(target, "BEGIN; SET LOCAL synchronous_commit = on");
    target.execute(kCreate);
    const std::array<std::string, 1> parameters = {std::string(run)};
    target.execute("INSERT INTO pgsluice.run (what) VALUES ($1)", parameters);
    // In the same transaction: if this session were lost after the commit but before it is registered, the next run
    // could not terminate it.
    Backend own = register_session(target);
    transaction.commit();
    return own;
  } catch (Error& error) {
    if (error.sqlstate() == sqlstate::kDuplicateSchema || error.sqlstate() == sqlstate::kUniqueViolation) {
      throw Error(ErrorKind::kState, "another clone into this database has been started")
          .on(Side::kTarget)
          .hint("wait for its end, if one is running")
          .remedy(Remedy::kResume);
    }
    if (error.sqlstate() == sqlstate::kInsufficientPrivilege) {
      error
          .hint(fmt::format(
              "GRANT CREATE ON DATABASE {} TO {}: the clone records what it has done in a schema of its own",
              pg::quote_identifier(target.database()), pg::quote_identifier(target.user())))
          .remedy(Remedy::kOmitLedger);
    }
    error.object("schema pgsluice");
    constexpr std::string_view kInternal = "XX";
    if (!target.idle() || error.sqlstate().starts_with(kInternal)) throw;
    if (const std::string triggers = event_triggers_of(target); !triggers.empty()) {
      throw Error(ErrorKind::kState, fmt::format("the schema pgsluice could not be created: {}", error.what()))
          .on(Side::kTarget)
          .hint(fmt::format(
              "the target has enabled event triggers: {}; if one of them raised this error, run ALTER EVENT "
              "TRIGGER … DISABLE before the copy",
              triggers));
    }
    throw;
  }
}

void update_ledger(pg::Connection& target, std::string_view run) {
  pg::Transaction transaction(target, "BEGIN; SET LOCAL synchronous_commit = on");
  const std::array<std::string, 1> parameters = {std::string(run)};
  target.execute("UPDATE pgsluice.run SET what = $1", parameters);
  target.execute("DELETE FROM pgsluice.uncrashed; INSERT INTO pgsluice.uncrashed VALUES (true)");
  transaction.commit();
}

Error ledger_of_another_version(std::string_view details) {
  return Error(ErrorKind::kState, fmt::format("the ledger was written by another version of pgsluice{}{}",
                                              details.empty() ? "" : ": ", details))
      .on(Side::kTarget)
      .object("schema pgsluice")
      .hint("continue with that version")
      .remedy(Remedy::kForgetRun);
}

std::set<std::string, std::less<>> read_tasks(pg::Connection& target) {
  std::set<std::string, std::less<>> tasks;
  for (const pg::Row row : target.execute("SELECT pg_catalog.replace(mark::text, '-', '') FROM pgsluice.task")) {
    tasks.emplace(row.text(0));
  }
  return tasks;
}

namespace {

LedgerContents read_tables(pg::Connection& target) {
  LedgerContents contents;
  contents.run = target.execute("SELECT what FROM pgsluice.run")[0].text(0);
  contents.tasks = read_tasks(target);
  for (const bool unlogged : {false, true}) {
    const pg::Result rows = target.execute(fmt::format(
        "SELECT relation, cut_by, nulls, low, high, file_node, pg_catalog.replace(statement::text, '-', ''), rows,"
        " bytes, pg_catalog.replace(digest::text, '-', ''), is_binary FROM pgsluice.{} ORDER BY 1, 2, 3, 4",
        unlogged ? "unlogged_part" : "part"));
    for (const pg::Row row : rows) contents.parts.push_back(part_of(row, unlogged));
  }
  return contents;
}

}  // namespace

std::optional<LedgerContents> read_ledger(pg::Connection& target) {
  if (!is_there(target)) return std::nullopt;
  try {
    return read_tables(target);
  } catch (const Error& error) {
    const bool is_another =
        error.sqlstate() == sqlstate::kUndefinedTable || error.sqlstate() == sqlstate::kUndefinedColumn;
    if (!is_another) throw;
    // It may have been dropped while we waited for its locks: the earlier run was finishing.
    if (!is_there(target)) return std::nullopt;
    throw ledger_of_another_version();
  }
}

bool belongs_to_ledger(const schema::TocEntry& entry) {
  return entry.schema == std::string(kLedgerSchema) || entry.tag == kLedgerSchema ||
         entry.tag == fmt::format("SCHEMA {}", kLedgerSchema);
}

void drop_ledger(pg::Connection& target) {
  // Dropping the schema drops its own tables too, which needs no notice.
  std::string sql = "SET LOCAL client_min_messages = warning; DROP SCHEMA IF EXISTS pgsluice CASCADE;";
  for (const pg::Row row : target.execute("SELECT evtname, evtenabled FROM pg_catalog.pg_event_trigger"
                                          " WHERE evtenabled <> 'D' AND pg_catalog.pg_has_role(evtowner, 'USAGE')")) {
    const std::string trigger = fmt::format("ALTER EVENT TRIGGER {} ", pg::quote_identifier(row.text(0)));
    const std::string_view when = row.text(1) == "R" ? " REPLICA" : row.text(1) == "A" ? " ALWAYS" : "";
    sql = fmt::format("{0}DISABLE; {1} {0}ENABLE{2};", trigger, sql, when);
  }
  target.execute(sql);
}

std::string forget_task_sql(std::string_view mark) {
  return fmt::format("DELETE FROM pgsluice.task WHERE mark = '{}';\n", mark);
}

void forget_task(pg::Connection& target, std::string_view mark) { target.execute(forget_task_sql(mark)); }

void forget_parts(pg::Connection& target, schema::Oid relation) {
  target.execute(
      fmt::format("DELETE FROM pgsluice.part WHERE relation = {0};"
                  " DELETE FROM pgsluice.unlogged_part WHERE relation = {0}",
                  relation));
}

bool has_crashed(pg::Connection& target) { return target.execute("SELECT FROM pgsluice.uncrashed").empty(); }

Backend session_of(pg::Connection& target) {
  const pg::Result own = pg::execute_as_login_role(
      target, fmt::format("SELECT pid, {} FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()",
                          text_of_time("backend_start")));
  return {.pid = static_cast<int>(own[0].integer(0)), .started = std::string(own[0].text(1))};
}

Backend register_session(pg::Connection& target) {
  Backend own = session_of(target);
  // A pooler may assign one server session to several of our connections in turn; it is then already registered.
  target.execute(fmt::format("INSERT INTO pgsluice.session VALUES ({}, {}) ON CONFLICT DO NOTHING", own.pid,
                             pg::quote_literal(own.started)));
  return own;
}

std::vector<Backend> read_sessions(pg::Connection& target) {
  std::vector<Backend> sessions;
  for (const pg::Row row :
       target.execute(fmt::format("SELECT pid, {} FROM pgsluice.session", text_of_time("started")))) {
    sessions.push_back({.pid = static_cast<int>(row.integer(0)), .started = std::string(row.text(1))});
  }
  return sessions;
}

void end_sessions(pg::Connection& target, const std::vector<Backend>& sessions) {
  if (sessions.empty()) return;
  const std::string which = from_living(sessions);
  pg::execute_as_login_role(target, fmt::format("SELECT pg_catalog.pg_terminate_backend(a.pid){}", which));
  const auto end = SteadyClock::now() + kTerminationTimeout;
  std::chrono::milliseconds pause = kFirstPause;
  while (true) {
    const pg::Result left = pg::execute_as_login_role(target, fmt::format("SELECT a.pid{} ORDER BY 1", which));
    if (left.empty()) return;
    if (SteadyClock::now() >= end) {
      std::vector<std::string> pids;
      for (const pg::Row row : left) pids.emplace_back(row.text(0));
      throw Error(ErrorKind::kConnection,
                  fmt::format("sessions of an earlier run did not exit: {}", fmt::join(pids, ", ")))
          .on(Side::kTarget)
          .hint("end them on the server (pg_terminate_backend)")
          .remedy(Remedy::kResume);
    }
    // The server does not report when a session is gone.
    pgsluice::pause(target.cancel_token(), pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

std::string task_done_sql(std::string_view mark) {
  return fmt::format("INSERT INTO pgsluice.task VALUES ('{}');\n", mark);
}

std::string part_sql(const LedgerPart& part) {
  return fmt::format("INSERT INTO pgsluice.{} VALUES ({}, {}, {}, '{}');\n", table_of(part), key_of(part),
                     number_or_null(part.bounds.to), part.file_node, part.statement);
}

std::string loaded_sql(const std::vector<LedgerPart>& parts) {
  std::string sql;
  for (const bool unlogged : {false, true}) {
    std::string rows;
    for (const LedgerPart& part : parts) {
      if (part.unlogged != unlogged) continue;
      rows += fmt::format("{}({}, {}::bigint, {}::bigint, {}::uuid, {})", rows.empty() ? "" : ", ", key_of(part),
                          part.loaded.rows, part.loaded.bytes.count,
                          part.loaded.digest ? "'" + part.loaded.digest->hex() + "'" : "NULL",
                          part.loaded.format == CopyFormat::kBinary);
    }
    if (rows.empty()) continue;
    sql += fmt::format(
        "UPDATE pgsluice.{} p SET rows = v.rows, bytes = v.bytes, digest = v.digest, is_binary = v.is_binary FROM "
        "(VALUES {}) AS v(relation, "
        "cut_by, nulls, low, rows, bytes, digest, is_binary) WHERE (p.relation, p.cut_by, p.nulls, p.low) = "
        "(v.relation, "
        "v.cut_by, v.nulls, v.low);\n",
        unlogged ? "unlogged_part" : "part", rows);
  }
  return sql;
}

}  // namespace pgsluice::copy
