#include "copy/table_copy.h"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "base/digest.h"
#include "base/sqlstate.h"
#include "copy/wide_rows.h"
#include "pg/quote.h"
#include "pg/snapshot.h"
#include "pg/transaction.h"
#include "pg/version.h"
#include "pgsluice/error.h"

namespace pgsluice::copy {

namespace {

// TRUNCATE and rewriting ALTERs are seen by a snapshot that is older than they are: the table reads as empty without an
// error. To be called with the locks that the COPYs have taken. The locks of the snapshot's holder prevent this; a
// holder that was lost in mid-run is found here. Returns the first table that is another one.
std::optional<std::size_t> find_changed_storage(pg::Connection& source, std::span<const TableCopy> tables) {
  std::string rows;
  for (const TableCopy& copy : tables) {
    rows += fmt::format("{}({}::pg_catalog.oid, {})", rows.empty() ? "" : ", ", copy.table.oid,
                        pg::quote_literal(copy.table.quoted()));
  }
  // An answer for each table, in their order.
  const pg::Result same =
      source.execute(fmt::format("SELECT coalesce(c.relfilenode = pg_catalog.pg_relation_filenode(c.oid)"
                                 " AND c.oid = pg_catalog.to_regclass(v.name::{})::pg_catalog.oid, false)"
                                 " FROM (SELECT row_number() OVER () AS at, t.* FROM (VALUES {}) AS t(oid, name)) v"
                                 " LEFT JOIN pg_catalog.pg_class c ON c.oid = v.oid ORDER BY v.at",
                                 source.server_version() >= pg::since::kRegclassOfText ? "text" : "cstring", rows));
  for (int i = 0; i < same.size(); ++i) {
    if (!same[i].boolean(0)) return static_cast<std::size_t>(i);
  }
  return std::nullopt;
}

Error storage_changed() {
  return Error(ErrorKind::kState, "truncated, rewritten, renamed or dropped while the copy ran")
      .on(Side::kSource)
      .remedy(Remedy::kStartOver)
      .hint("stop what changes the source's tables, then run again");
}

Error counts_differ(const RelayOutcome& outcome) {
  return Error(ErrorKind::kMismatch,
               fmt::format("the source sent {} rows and the target took {}", outcome.source_rows, outcome.target_rows))
      .on(Side::kTarget)
      .hint("a trigger or a rule on the target may have taken rows away");
}

// The first table that must not be committed, and why.
struct Objection {
  Error error;
  std::size_t table;
};

std::optional<Objection> find_objection(pg::Connection& source, std::span<const TableCopy> tables,
                                        const RelayResult& relayed, const std::string& read_before) {
  if (relayed.error) return Objection{*relayed.error, relayed.failed};
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const RelayOutcome& outcome = relayed.outcomes[i];
    if (outcome.source_rows != outcome.target_rows) return Objection{counts_differ(outcome), i};
  }
  if (const auto changed = find_changed_storage(source, tables)) return Objection{storage_changed(), *changed};
  pg::require_read_in_time(source, read_before);
  return std::nullopt;
}

// The snapshot's holder has a lock on the table. A session that waits for that lock, to truncate or drop the table,
// keeps us waiting behind it, and the server sees no deadlock, since the holder waits in this process: so we do not
// wait.
std::string lock_statement(const schema::Relation& table) {
  return fmt::format("LOCK TABLE ONLY {} IN ACCESS SHARE MODE NOWAIT; ", table.quoted());
}

// Through a root the columns go in the root's order, so that its partitions' rows can be compared with the root's.
std::string copy_out(const TableCopy& copy) {
  schema::Relation in_order = copy.table;
  if (&copy.table != &copy.into) in_order.columns = copy.into.columns;
  return lock_statement(copy.table) + copy_out_statement(in_order, copy.format, copy.range.condition());
}

// Adds what to do where the server's message does not say it.
void explain(Error& error) {
  if (error.side() == Side::kTarget && std::string_view(error.what()).find(kRowsOfOthers) != std::string_view::npos) {
    error = Error(ErrorKind::kState, "it holds rows that are not of this run, and was not truncated")
                .on(Side::kTarget)
                .hint("another session has inserted them since the run began: delete them")
                .remedy(Remedy::kResume);
    return;
  }
  if (error.side() == Side::kSource && error.sqlstate() == sqlstate::kLockNotAvailable) {
    error
        .hint(
            "another session of the source waits to truncate, drop or alter the table: end it (pg_stat_activity, "
            "wait_event_type Lock)")
        .remedy(Remedy::kResume);
  }
  if (error.side() == Side::kSource && is_row_too_wide(error)) error.hint(kWideRowHint).remedy(Remedy::kOmitRows);
  if (error.side() == Side::kSource && error.sqlstate() == sqlstate::kSerializationFailure) {
    error.hint(
        "the standby has replayed what removes rows that the snapshot shows, which ends the snapshot: set "
        "hot_standby_feedback = on or max_standby_streaming_delay = -1 there, or pause its replay");
  }
}

std::string copy_in(const TableCopy& copy) {
  const std::string sql = copy.before + copy_in_statement(copy.into, copy.into, copy.format, copy.loading);
  return copy.in_ledger ? part_sql(ledger_part(copy.table, copy.range.bounds)) + sql : sql;
}

std::string ledger_sql(std::span<const TableCopy> tables, const std::vector<CopiedTable>& copied) {
  std::vector<LedgerPart> parts;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    if (!tables[i].in_ledger) continue;
    parts.push_back(ledger_part(tables[i].table, tables[i].range.bounds));
    parts.back().loaded = copied[i].loaded;
  }
  return loaded_sql(parts);
}

// Reads the values of columns that are not copied.
Digest digest_of_generated_columns(pg::Connection& source, const TableCopy& copy) {
  schema::Relation in_order = copy.table;
  in_order.generated_columns = copy.into.generated_columns;
  std::atomic<std::int64_t> bytes{0};
  const std::array<DigestRequest, 1> request = {
      DigestRequest{.connection = source,
                    .copy_out = copy.before_generated + generated_columns_statement(in_order, copy.range.condition()),
                    .bytes = bytes}};
  const Digest sum = digest_rows(request)[0].sum;
  // Names in what is read next are written out in full.
  source.execute("SET LOCAL search_path = ''");
  return sum;
}

std::vector<CopiedTable> copied_tables(pg::Connection& source, std::span<const TableCopy> tables,
                                       const std::vector<RelayOutcome>& outcomes,
                                       const std::vector<RowDigester>& digesters) {
  std::vector<CopiedTable> copied;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const Bytes bytes{tables[i].bytes.load(std::memory_order_relaxed)};
    copied.push_back({.loaded = {.rows = outcomes[i].source_rows, .bytes = bytes, .format = tables[i].format},
                      .duration = outcomes[i].duration});
    if (!tables[i].digested) continue;
    RowsDigest digest = digesters[i].result();
    if (digest.rows != outcomes[i].source_rows) {
      throw Error(ErrorKind::kMismatch,
                  fmt::format("the source says that it sent {} rows, {} came", outcomes[i].source_rows, digest.rows))
          .on(Side::kSource);
    }
    if (!tables[i].into.generated_columns.empty()) {
      digest += {.rows = 0, .sum = digest_of_generated_columns(source, tables[i])};
    }
    copied.back().loaded.digest = digest.sum;
  }
  return copied;
}

}  // namespace

LedgerPart ledger_part(const schema::Relation& table, const RangeBounds& bounds) {
  return {.relation = table.oid,
          .file_node = table.file_node,
          .bounds = bounds,
          .statement = digest_of(copy_out_statement(table, CopyFormat::kText, "")).hex(),
          .unlogged = table.unlogged};
}

CopyTablesResult copy_tables(pg::Connection& source, pg::Connection& target, Relay& relay,
                             std::span<const TableCopy> tables, const std::string& read_before) {
  CopyTablesResult result;
  try {
    pg::Transaction transaction(target);
    std::vector<RowDigester> digesters;
    for (const TableCopy& copy : tables) digesters.emplace_back(copy.format);
    std::vector<RelayRequest> requests;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      requests.push_back({.copy_out = copy_out(tables[i]),
                          .copy_in = copy_in(tables[i]),
                          .bytes = tables[i].bytes,
                          .digester = tables[i].digested ? &digesters[i] : nullptr});
    }
    const RelayResult relayed = relay.run(source, target, requests);
    if (std::optional<Objection> objection = find_objection(source, tables, relayed, read_before)) {
      result.failed = objection->table;
      result.error = std::move(objection->error);
      explain(*result.error);
      result.error->object("table " + tables[objection->table].table.display()).step("copying data");
      return result;
    }
    std::vector<CopiedTable> copied = copied_tables(source, tables, relayed.outcomes, digesters);
    std::string last;
    for (const TableCopy& copy : tables) last += copy.after;
    transaction.commit(last + ledger_sql(tables, copied));
    result.copied = std::move(copied);
  } catch (Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    const std::string first = "table " + tables.front().table.display();
    error.object(tables.size() == 1 ? first : fmt::format("{} and {} others", first, tables.size() - 1));
    result.error = error.step("copying data");
  }
  return result;
}

}  // namespace pgsluice::copy
