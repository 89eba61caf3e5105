#include "pipeline/prepare/source_checks.h"

#include <fmt/format.h>

#include "base/counted.h"
#include "base/sqlstate.h"
#include "copy/large_objects.h"
#include "copy/wide_rows.h"
#include "pg/snapshot.h"
#include "pg/version.h"
#include "pgsluice/error.h"
#include "pipeline/prepare/lock_need.h"

namespace pgsluice::pipeline {

namespace {

Error refused(std::string_view sqlstate, const std::string& message, std::string_view hint) {
  return Error(ErrorKind::kServer, message).on(Side::kSource).sqlstate(sqlstate).hint(hint);
}

bool is_standby(pg::Connection& source) {
  return source.execute("SELECT pg_catalog.pg_is_in_recovery()")[0].boolean(0);
}

void refuse_unlogged_tables_of_a_standby(pg::Connection& source, const std::vector<const schema::Relation*>& tables) {
  std::vector<std::string> unlogged;
  for (const schema::Relation* table : tables) {
    if (table->unlogged) unlogged.push_back(table->display());
  }
  if (unlogged.empty() || !is_standby(source)) return;
  throw refused(sqlstate::kFeatureNotSupported,
                fmt::format("a standby has no rows of unlogged tables: {}", some_of(unlogged)),
                "clone from the primary")
      .remedy(Remedy::kOmitRows);
}

// Reasons that a snapshot of a standby may end: the primary's VACUUM, by a conflict of the log that is replayed.
std::optional<std::string> conflicts_of_a_standby(pg::Connection& source) {
  if (!is_standby(source)) return std::nullopt;
  const std::string paused = source.server_version() >= pg::since::kWalNames ? "pg_catalog.pg_is_wal_replay_paused()"
                                                                             : "pg_catalog.pg_is_xlog_replay_paused()";
  const pg::Row row = source.execute(
      "SELECT pg_catalog.current_setting('hot_standby_feedback') = 'on'"
      " OR (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'max_standby_streaming_delay') = '-1'"
      " OR " +
      paused)[0];
  if (row.boolean(0)) return std::nullopt;
  return "the source is a standby, and what its primary removes may end the clone (a recovery conflict, 40001): set "
         "hot_standby_feedback = on or max_standby_streaming_delay = -1 there and reload, or pause its replay";
}

// A setting of 9.6 to 16. Rows that a snapshot needs may be removed when it is older, and no later try can have them.
std::vector<std::string> limits_of_snapshots(pg::Connection& source) {
  const pg::Result limit = source.execute(
      "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'old_snapshot_threshold' AND setting <> '-1'");
  if (limit.empty()) return {};
  return {
      fmt::format("old_snapshot_threshold of the source is {} min: a clone that reads rows for longer than that ends "
                  "with an error; "
                  "-1 and a restart of the server would prevent it",
                  limit[0].text(0))};
}

void refuse_unreadable_large_objects(pg::Connection& source) {
  const copy::UnreadableLargeObjects unreadable = copy::find_unreadable_large_objects(source);
  if (unreadable.count == 0) return;
  throw refused(sqlstate::kInsufficientPrivilege,
                fmt::format("{} may not read {} (one is {})", source.user(), counted(unreadable.count, "large object"),
                            unreadable.one),
                "GRANT SELECT ON LARGE OBJECT … TO it, or connect as their owner or a superuser")
      .remedy(Remedy::kOmitLargeObjects);
}

}  // namespace

std::vector<std::string> check_source(pg::Connection& source, const schema::Catalog& catalog,
                                      const ResolvedOptions& options) {
  std::vector<std::string> unreadable;
  std::vector<std::string> hidden;
  const std::vector<const schema::Relation*> tables = tables_to_copy(catalog);
  for (const schema::Relation* table : tables) {
    if (!table->may_select) unreadable.push_back(table->display());
    if (table->row_security_applies) hidden.push_back(table->display());
  }
  for (const schema::Sequence& sequence : catalog.sequences) {
    if (!sequence.may_select) unreadable.push_back("sequence " + sequence.display());
  }
  if (!unreadable.empty()) {
    throw refused(
        sqlstate::kInsufficientPrivilege, fmt::format("{} may not read: {}", source.user(), some_of(unreadable)),
        "grant USAGE on their schemas and SELECT on them (pg_read_all_data from 14), or connect as their owner");
  }
  if (!hidden.empty()) {
    throw refused(sqlstate::kInsufficientPrivilege,
                  fmt::format("row-level security would hide rows from {}: {}", source.user(), some_of(hidden)),
                  "connect as a superuser or a role with BYPASSRLS");
  }
  if (options.large_objects && options.steps.contains(Step::kLargeObjects)) refuse_unreadable_large_objects(source);
  if (reads_rows(options.steps)) {
    refuse_small_lock_table(source, lock_need(catalog, options));
    refuse_unlogged_tables_of_a_standby(source, tables);
  }
  std::vector<std::string> warnings = limits_of_snapshots(source);
  if (std::optional<std::string> conflicts = conflicts_of_a_standby(source)) warnings.push_back(std::move(*conflicts));
  return warnings;
}

void check_wide_rows(pg::Connection& source, const std::vector<TablePlan>& tables, const schema::ColumnTypes& types) {
  for (const TablePlan& table : tables) {
    if (table.ranges.empty() || !copy::may_have_wide_rows(*table.table)) continue;
    const auto wide = copy::find_wide_row(source, *table.table, types, table.format);
    if (!wide) continue;
    throw refused(sqlstate::kProgramLimitExceeded,
                  fmt::format("the row at ctid {} of {} takes {} at least in COPY's {} format", wide->block_and_line,
                              table.table->display(), to_string(wide->size), copy::to_string(table.format)),
                  copy::kWideRowHint)
        .remedy(Remedy::kOmitRows);
  }
}

}  // namespace pgsluice::pipeline
