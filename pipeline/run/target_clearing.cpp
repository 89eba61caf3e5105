#include "pipeline/run/target_clearing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "copy/large_objects.h"
#include "pg/transaction.h"
#include "pipeline/plan/tasks_done.h"
#include "pipeline/run/reload.h"
#include "schema/archive/drops.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

namespace {

// All at once, since keys may refer to one from another.
void empty_tables(pg::Connection& target, const Plan& plan, const Log& log) {
  if (plan.tables_to_empty.empty()) return;
  std::vector<std::string> tables;
  std::string triggers_off;
  std::string triggers_on;
  for (const schema::Relation* table : plan.tables_to_empty) {
    const bool has_own_rows =
        table->kind == schema::RelationKind::kTable && !plan.existing.partitioned.contains(table->oid);
    tables.push_back((has_own_rows ? "ONLY " : "") + table->quoted());
    const auto off = plan.existing.triggers_off.find(table->oid);
    if (off == plan.existing.triggers_off.end()) continue;
    triggers_off += off->second.before;
    triggers_on += off->second.after;
  }
  log.info(fmt::format("{} tables are emptied first", tables.size()));
  target.execute(fmt::format("{}TRUNCATE {}; {}", triggers_off, fmt::join(tables, ", "), triggers_on));
}

}  // namespace

void clear_target(pg::Connection& target, const Plan& plan, const std::optional<Continuation>& continuation,
                  const std::function<std::set<schema::Oid>()>& large_objects_of_source,
                  std::atomic<bool>& target_changed, const Log& log) {
  // Large objects that this run has begun are its own.
  const bool begun = continuation && continuation->record.has_begun(Step::kLargeObjects);
  const bool objects = plan.options.drop_if_exists && plan.options.large_objects &&
                       plan.options.steps.contains(Step::kLargeObjects) && !begun;
  // Looked at before anything is dropped.
  std::vector<schema::Oid> large_objects;
  if (objects) large_objects = copy::find_large_objects_to_drop(large_objects_of_source(), target);
  if (!plan.drops.empty() || !plan.tables_to_empty.empty()) {
    pg::Transaction transaction(target);
    schema::drop(target, plan.drops);
    empty_tables(target, plan, log);
    transaction.commit();
    target_changed = true;
  }
  if (large_objects.empty()) return;
  target_changed = true;
  copy::drop_large_objects(target, large_objects);
}

void forget_earlier_run(pg::Connection& target, const Plan& plan, std::atomic<bool>& target_changed, const Log& log) {
  if (plan.options.earlier_run != EarlierRun::kForget || !copy::read_ledger(target)) return;
  pg::Transaction transaction(target);
  copy::drop_ledger(target);
  transaction.commit();
  target_changed = true;
  log.info("the state of an earlier run was dropped");
}

void empty_broken_tables(pg::Connection& target, const Plan& plan, copy::LedgerContents& ledger,
                         std::atomic<bool>& target_changed, const Log& log) {
  std::set<schema::Oid> kept;
  for (const auto& [task, loaded] : tasks_done(plan, ledger)) {
    if (plan.graph[task].range != nullptr && plan.graph[task].range->loaded) {
      kept.insert(plan.graph[task].relation->oid);
    }
  }
  std::set<schema::Oid> again;
  for (const copy::LedgerPart& part : ledger.parts) {
    if (!kept.contains(part.relation)) again.insert(part.relation);
  }
  pg::Transaction transaction(target);
  make_loadable(target, plan, again, ledger, log);
  for (const copy::LedgerPart& part : ledger.parts) {
    if (kept.contains(part.relation)) continue;
    copy::forget_parts(target, part.relation);
    for (const TablePlan& table : plan.tables) {
      if (table.table->oid != part.relation) continue;
      // Their load itself takes them away, and leaves the extension's own.
      if (table.table->extension_condition) continue;
      const bool through_root = table.into != table.table;
      target.execute(fmt::format("TRUNCATE {}{}", through_root ? "" : "ONLY ", table.into->quoted()));
      log.info(fmt::format("table {} is copied anew", table.table->display()));
    }
  }
  transaction.commit();
  target_changed = true;
  auto& parts = ledger.parts;
  parts.erase(std::remove_if(parts.begin(), parts.end(),
                             [&](const copy::LedgerPart& part) { return !kept.contains(part.relation); }),
              parts.end());
}

}  // namespace pgsluice::pipeline
