#include "pipeline/plan/tasks_done.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "base/digest.h"
#include "copy/table_copy.h"
#include "pgsluice/error.h"
#include "schema/archive/entry_sql.h"

namespace pgsluice::pipeline {

namespace {

using schema::Oid;
using schema::Relation;

// Identifies a task in later runs, too: by ids and its statement, never by a label. Without the owner, because a
// membership granted since then does not change what is created.
std::string text_of(const Task& task) {
  const schema::CatalogId id = task.entry == nullptr ? schema::CatalogId{} : task.entry->catalog_id;
  const std::string_view definition = task.entry == nullptr || !task.sql.empty() ? task.sql : task.entry->definition;
  return fmt::format("{} {} {} {}", id_of(task.kind), id.table, id.oid, definition);
}

using PartKey = std::tuple<Oid, std::string, bool, std::optional<std::int64_t>, std::optional<std::int64_t>>;

PartKey key_of(Oid relation, const copy::RangeBounds& bounds) {
  return {relation, bounds.by, bounds.nulls, bounds.from, bounds.to};
}

copy::RowRange range_of(const copy::LedgerPart& part) {
  return {.bounds = part.bounds, .size = part.loaded.bytes, .loaded = part.loaded};
}

// After VACUUM FULL the table has another file. That is acceptable if find_change() has compared each row, but not for
// a range of blocks.
bool still_applies(const copy::LedgerPart& part, const Relation& table, Trust trust) {
  const copy::LedgerPart now = copy::ledger_part(table, part.bounds);
  const bool may_have_moved = trust == Trust::kEveryPart && part.bounds.by != copy::kByBlocks;
  return (may_have_moved || part.file_node == now.file_node) && part.statement == now.statement &&
         part.unlogged == now.unlogged;
}

bool is_whole(const std::vector<copy::RowRange>& loaded) {
  const std::vector<copy::RowRange> all = copy::around_loaded({copy::RowRange{}}, loaded);
  return std::all_of(all.begin(), all.end(), [](const copy::RowRange& range) { return range.loaded.has_value(); });
}

}  // namespace

std::vector<std::string> task_marks(const Plan& plan) {
  std::vector<std::string> marks;
  std::set<std::string> seen;
  for (const Task& task : plan.graph.tasks()) {
    if (task.repeated || task.traits().repeating == Repeating::kAlways) {
      marks.emplace_back();
      continue;
    }
    const std::string text = text_of(task);
    std::string mark = digest_of(text).hex();
    // A statement that occurs more than once is numbered.
    for (int count = 2; !seen.insert(mark).second; ++count) mark = digest_of(fmt::format("{} {}", text, count)).hex();
    marks.push_back(std::move(mark));
  }
  return marks;
}

std::string mark_of_owner(const schema::TocEntry& entry) {
  return digest_of(fmt::format("owner of {} {}", entry.describe(), schema::owner_sql(entry))).hex();
}

std::string mark_of_large_objects() { return digest_of(text_of({.kind = TaskKind::kLargeObjects})).hex(); }

std::map<TaskId, copy::LoadedRows> tasks_done(const Plan& plan, const copy::LedgerContents& ledger) {
  std::map<PartKey, copy::LoadedRows> parts;
  for (const copy::LedgerPart& part : ledger.parts) parts[key_of(part.relation, part.bounds)] = part.loaded;
  std::map<TaskId, copy::LoadedRows> done;
  for (TaskId id = 0; id < plan.graph.size(); ++id) {
    const Task& task = plan.graph[id];
    if (task.copies_rows()) {
      const auto part = parts.find(key_of(task.relation->oid, task.range->bounds));
      if (part != parts.end()) done[id] = part->second;
    } else if (!plan.task_marks[id].empty() && ledger.tasks.contains(plan.task_marks[id])) {
      done[id] = {};
    }
  }
  return done;
}

std::map<Oid, std::vector<copy::RowRange>> loaded_parts(const copy::LedgerContents& ledger,
                                                        const schema::Catalog& catalog, Trust trust,
                                                        const std::set<Oid>& to_load_again) {
  std::map<Oid, std::vector<copy::RowRange>> loaded;
  std::set<Oid> unfit;
  for (const copy::LedgerPart& part : ledger.parts) {
    const Relation* table = catalog.relation(part.relation);
    if (table != nullptr && still_applies(part, *table, trust)) {
      loaded[part.relation].push_back(range_of(part));
      continue;
    }
    unfit.insert(part.relation);
    if (trust == Trust::kWholeTables) continue;
    throw Error(ErrorKind::kState, fmt::format("the table {} has changed since the run began",
                                               table == nullptr ? std::to_string(part.relation) : table->display()))
        .on(Side::kSource)
        .remedy(Remedy::kStartOver);
  }
  if (trust == Trust::kEveryPart) return loaded;
  std::set<Oid> broken_roots;
  for (const Relation& table : catalog.relations) {
    const auto found = loaded.find(table.oid);
    const bool whole = found != loaded.end() && !unfit.contains(table.oid) && !to_load_again.contains(table.oid) &&
                       is_whole(found->second);
    if (whole) continue;
    if (found != loaded.end()) loaded.erase(found);
    if (table.load_via_root != 0) broken_roots.insert(table.load_via_root);
  }
  for (const Relation& table : catalog.relations) {
    if (broken_roots.contains(table.load_via_root)) loaded.erase(table.oid);
  }
  return loaded;
}

}  // namespace pgsluice::pipeline
