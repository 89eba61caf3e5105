#include "pipeline/prepare/source_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "copy/copy_statement.h"
#include "pg/database_change.h"
#include "pipeline/plan/table_plan.h"
#include "pipeline/plan/tasks_done.h"

namespace pgsluice::pipeline {

namespace {

// Every write to a large object, truncation included, leaves a new row version. Created and dropped ones show in the
// mark of definitions.
std::optional<std::string> find_change_of_large_objects(pg::Connection& source, const pg::SnapshotMark& earlier,
                                                        const pg::SnapshotMark& now) {
  const pg::Row may = source.execute("SELECT pg_catalog.has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')")[0];
  if (!may.boolean(0)) {
    return "whether large objects have changed cannot be known: the source's user may not read pg_largeobject";
  }
  const pg::Row changed = source.execute(fmt::format("SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject WHERE {})",
                                                     pg::not_shown_condition(earlier, now)))[0];
  if (changed.boolean(0)) return "large objects have changed since";
  return std::nullopt;
}

}  // namespace

bool everything_is_loaded(const copy::LedgerContents& ledger, const schema::Catalog& catalog, bool large_objects) {
  if (large_objects && catalog.large_objects > 0 && !ledger.tasks.contains(mark_of_large_objects())) return false;
  const auto loaded = loaded_parts(ledger, catalog, Trust::kWholeTables);
  const std::vector<const schema::Relation*> tables = tables_to_copy(catalog);
  return std::all_of(tables.begin(), tables.end(),
                     [&](const schema::Relation* table) { return loaded.contains(table->oid); });
}

bool has_changed(pg::Connection& source, const pg::SnapshotMark& earlier, const pg::SnapshotMark& now,
                 const schema::Relation& table, const copy::LedgerPart& part) {
  const pg::Row counted = source.execute(
      copy::count_statement(table, copy::condition_of(part.bounds), pg::not_shown_condition(earlier, now)))[0];
  return counted.integer(0) != part.loaded.rows || counted.integer(1) != 0;
}

std::optional<std::string> find_change(pg::Connection& source, const pg::SnapshotMark& earlier,
                                       const pg::SnapshotMark& now, const schema::Catalog& catalog,
                                       const copy::LedgerContents& ledger, const Log& log) {
  if (earlier.definitions.empty() || earlier.definitions != now.definitions) {
    return "definitions or large objects of the database were changed since";
  }
  Bytes size;
  for (const copy::LedgerPart& part : ledger.parts) size.count += part.loaded.bytes.count;
  log.info(
      fmt::format("transactions ran on the source's server since: looking whether the {} parts of tables that were "
                  "copied ({}) are as they were",
                  ledger.parts.size(), to_string(size)));
  for (const copy::LedgerPart& part : ledger.parts) {
    const schema::Relation* table = catalog.relation(part.relation);
    if (table == nullptr) return fmt::format("a table that was copied is gone (its OID was {})", part.relation);
    if (has_changed(source, earlier, now, *table, part)) {
      return fmt::format("table {} was written to, or may have been, after it was copied", table->display());
    }
  }
  return catalog.large_objects > 0 ? find_change_of_large_objects(source, earlier, now) : std::nullopt;
}

}  // namespace pgsluice::pipeline
