#include "copy/table_copy.h"

#include <fmt/format.h>

#include <string>

#include "base/digest.h"
#include "base/sqlstate.h"
#include "copy/wide_rows.h"
#include "pg/transaction.h"
#include "pgsluice/error.h"

namespace pgsluice::copy {

namespace {

Error counts_differ(const RelayOutcome& outcome) {
  return Error(ErrorKind::kMismatch,
               fmt::format("the source sent {} rows and the target took {}", outcome.source_rows, outcome.target_rows))
      .on(Side::kTarget)
      .hint("a trigger or a rule on the target may have taken rows away");
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

std::string copy_in(const TableCopy& copy, const schema::Relation& in_order) {
  const std::string sql = copy.before + copy_in_statement(in_order, copy.into, copy.format, copy.loading);
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

// The first table that must not be committed.
std::optional<Objection> find_objection(RowSource& source, std::span<const TableCopy> tables, const RelayResult& sent) {
  if (sent.error) return Objection{*sent.error, sent.failed};
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const RelayOutcome& outcome = sent.outcomes[i];
    if (outcome.source_rows != outcome.target_rows) return Objection{counts_differ(outcome), i};
  }
  return source.find_objection(tables);
}

std::vector<CopiedTable> copied_tables(RowSource& source, std::span<const TableCopy> tables,
                                       const std::vector<RelayOutcome>& outcomes,
                                       const std::vector<RowDigester>& digesters) {
  std::vector<CopiedTable> copied;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const Bytes bytes = tables[i].flow.count();
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
      digest += {.rows = 0, .sum = source.digest_of_generated_columns(tables[i])};
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

CopyTablesResult copy_tables(RowSource& source, pg::Connection& target, std::span<const TableCopy> tables) {
  CopyTablesResult result;
  try {
    pg::Transaction transaction(target);
    std::vector<RowDigester> digesters;
    for (const TableCopy& copy : tables) digesters.emplace_back(copy.format);
    std::vector<RowStream> streams;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      streams.push_back({.copy = tables[i],
                         .copy_in = copy_in(tables[i], source.column_order(tables[i])),
                         .digester = tables[i].digested ? &digesters[i] : nullptr});
    }
    const RelayResult sent = source.send(target, streams);
    if (std::optional<Objection> objection = find_objection(source, tables, sent)) {
      result.failed = objection->table;
      result.error = std::move(objection->error);
      explain(*result.error);
      result.error->object("table " + tables[objection->table].table.display()).step("copying data");
      return result;
    }
    std::vector<CopiedTable> copied = copied_tables(source, tables, sent.outcomes, digesters);
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
