#include "pipeline/prepare/lock_need.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "pipeline/plan/table_plan.h"

namespace pgsluice::pipeline {

namespace {

// Catalogs and their indexes, which each session locks: pg_dump 236 (measured with 15), the others a few.
constexpr std::int64_t kOfPgDump = 250;
constexpr std::int64_t kOfASession = 40;

}  // namespace

// The snapshot's holder and pg_dump lock every table; a session that copies keeps its locks as long as its snapshot.
LockNeed lock_need(std::int64_t tables, int table_jobs) {
  return {.tables = tables,
          .objects = tables + kOfPgDump,
          .holds = 3 * tables + kOfPgDump + (table_jobs + 2) * kOfASession};
}

LockNeed lock_need(const schema::Catalog& catalog, const HowToCopy& options) {
  std::int64_t tables = 0;
  for (const schema::Relation& relation : catalog.relations) {
    const bool is_locked =
        relation.kind == schema::RelationKind::kTable || relation.kind == schema::RelationKind::kPartitionedTable;
    tables += is_locked ? 1 : 0;
  }
  LockNeed need = lock_need(tables, options.table_jobs);
  std::set<schema::Oid> split;
  for (const schema::Relation* table : tables_that_are_split({.source = catalog,
                                       .table_jobs = options.table_jobs,
                                       .split = options.split,
                                       .key_spans = {},
                                       .loaded = {}})) {
    split.insert(table->oid);
  }
  for (const schema::Index& index : catalog.indexes) {
    if (!split.contains(index.table)) continue;
    need.objects += 1;
    need.holds += options.table_jobs;
  }
  need.holds += static_cast<std::int64_t>(split.size()) * (options.table_jobs - 1);
  return need;
}

// An object takes twice the memory of a hold, and the server sets apart room for twice as many holds as objects; both
// come from one pool (src/backend/storage/lmgr/lock.c).
std::optional<Error> small_lock_table(pg::Connection& source, const LockNeed& need) {
  std::map<std::string, std::int64_t, std::less<>> settings;
  for (const pg::Row row :
       source.execute("SELECT name, setting::pg_catalog.int8 FROM pg_catalog.pg_settings WHERE name IN"
                      " ('max_locks_per_transaction', 'max_connections', 'max_prepared_transactions',"
                      "  'autovacuum_max_workers', 'max_worker_processes', 'max_wal_senders')")) {
    settings[std::string(row.text(0))] = row.integer(1);
  }
  const std::int64_t each = settings["max_locks_per_transaction"];
  std::int64_t sessions = 0;
  for (const auto& [name, value] : settings) sessions += name == "max_locks_per_transaction" ? 0 : value;
  sessions = std::max<std::int64_t>(sessions, 1);
  const std::int64_t needed = 2 * need.objects + need.holds;
  const std::int64_t room = 4 * each * sessions;
  if (needed <= room) return std::nullopt;
  return Error(ErrorKind::kConfig,
               fmt::format("{} tables have to be locked, and the server's lock table is too small for that "
                           "(max_locks_per_transaction = {})",
                           need.tables, each))
      .on(Side::kSource)
      .hint(fmt::format("set max_locks_per_transaction to {} or more and restart the server",
                        needed / (4 * sessions) + 1))
      .remedy(Remedy::kFewerTableJobs);
}

void refuse_small_lock_table(pg::Connection& source, const LockNeed& need) {
  if (const std::optional<Error> error = small_lock_table(source, need)) throw Error(*error);
}

}  // namespace pgsluice::pipeline
