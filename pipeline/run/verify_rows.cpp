#include "pipeline/run/verify_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "pg/quote.h"
#include "pg/session_settings.h"
#include "pg/snapshot.h"
#include "pg/transaction.h"
#include "pipeline/compare/row_difference.h"
#include "pipeline/prepare/sessions.h"
#include "schema/catalog/expression_settings.h"

namespace pgsluice::pipeline {

namespace {

// Names the rows that differ, by their key: as the snapshot shows them while it is held, else as the source is by now.
// Over a session of its own, one at a time, since the source has room for one more than copy.
std::vector<std::string> name_rows(RunContext& context, pg::Connection& target, const schema::Relation& table) {
  constexpr int kMaxRows = 10;
  std::vector<std::string> rows;
  if (!context.source) return rows;  // an archive knows no rows one by one
  const MutexLock one_at_a_time(context.verification.naming_rows);
  try {
    pg::Connection source = open_session(*context.source, "differences", context.encoding, context.log, context.cancel);
    try {
      pg::import_snapshot(source, context.record.mark.snapshot);
    } catch (const Error& error) {
      if (error.poisons_connection()) throw;
      if (!source.idle()) source.execute("ROLLBACK");
      source.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    }
    const std::vector<std::string> key = primary_key_of(source, table.oid);
    if (!key.empty()) {
      std::vector<std::string> columns;
      for (const std::string& column : table.columns) columns.push_back(pg::quote_identifier(column));
      const bool has_children = table.kind == schema::RelationKind::kPartitionedTable;
      pg::Transaction transaction(target);
      target.execute(pg::reading_settings_sql());
      rows = different_rows(
          source, target, keys_and_digests_sql((has_children ? "" : "ONLY ") + table.quoted(), key, columns), kMaxRows);
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    // That they differ is known; which, 'compare data' is to say.
    context.log.notice(fmt::format("the rows of {} that differ cannot be named: {}", table.display(), error.what()));
  }
  return rows;
}

}  // namespace

void verify_rows(RunContext& context, WorkerSessions& sessions, const Task& task, Progress::Running& running) {
  schema::Relation there = *task.relation;
  if (context.plan.existing.partitioned.contains(there.oid)) there.kind = schema::RelationKind::kPartitionedTable;
  try {
    verify_table(sessions.target(), there, task.table->format, context.verification.should_be(there), running.bytes(),
                 schema::search_path_sql(context.plan.catalog.search_path));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kMismatch) throw;
    const std::vector<std::string> rows = name_rows(context, sessions.target(), there);
    const std::string which = rows.empty() ? "" : fmt::format(": {}", fmt::join(rows, "; "));
    Error told = Error(ErrorKind::kMismatch, error.what() + which).on(error.side()).object(error.object());
    throw context.source ? told.remedy(Remedy::kCompareData) : told;
  }
}

}  // namespace pgsluice::pipeline
