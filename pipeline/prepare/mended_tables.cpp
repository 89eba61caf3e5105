#include "pipeline/prepare/mended_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "index/foreign_key.h"
#include "pipeline/prepare/source_changes.h"

namespace pgsluice::pipeline {

namespace {

using schema::Oid;

// Something that holds of a table's rows, by its name on either server.
struct Condition {
  Oid table = 0;
  Oid parent = 0;  ///< of a foreign key
  std::string name;
};

// By "schema table name".
std::map<std::string, Condition> read_conditions(pg::Connection& server) {
  const pg::Result rows = server.execute(
      "WITH conditions(relation, name, parent) AS ("
      " SELECT conrelid, conname, confrelid FROM pg_catalog.pg_constraint"
      "  WHERE convalidated AND contype IN ('c', 'f', 'p', 'u', 'x') AND conrelid <> 0"
      " UNION ALL SELECT x.indrelid, i.relname, 0 FROM pg_catalog.pg_index x"
      "  JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid WHERE x.indisunique AND x.indisvalid)"
      " SELECT pg_catalog.concat_ws(' ', pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(c.relname),"
      " pg_catalog.quote_ident(k.name)), c.oid, k.parent, k.name"
      " FROM conditions k JOIN pg_catalog.pg_class c ON c.oid = k.relation"
      " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace");
  std::map<std::string, Condition> conditions;
  for (const pg::Row row : rows) {
    conditions[std::string(row.text(0))] = {.table = static_cast<Oid>(row.integer(1)),
                                            .parent = static_cast<Oid>(row.integer(2)),
                                            .name = std::string(row.text(3))};
  }
  return conditions;
}

// A table and all that is below it.
std::set<Oid> tree_of(Oid root, const schema::Catalog& catalog) {
  std::set<Oid> tree = {root};
  for (bool more = true; more;) {
    more = false;
    for (const schema::Inheritance& link : catalog.inheritance) {
      if (tree.contains(link.parent) && tree.insert(link.child).second) more = true;
    }
  }
  return tree;
}

// True if the target's rows are mended already.
bool has_no_orphans(pg::Connection& target, const Condition& condition, const schema::Catalog& catalog) {
  const auto key = std::find_if(catalog.foreign_keys.begin(), catalog.foreign_keys.end(), [&](const auto& candidate) {
    return candidate.child == condition.table && candidate.name == condition.name;
  });
  if (key == catalog.foreign_keys.end() || (!key->validated_apart && !key->to_partitioned)) return false;
  const schema::Relation* child = catalog.relation(key->child);
  const schema::Relation* parent = catalog.relation(key->parent);
  if (child == nullptr || parent == nullptr) return false;
  const std::array<std::string, 2> names = {child->quoted(), parent->quoted()};
  const bool are_there = target
                             .execute(
                                 "SELECT pg_catalog.to_regclass($1) IS NOT NULL AND pg_catalog.to_regclass($2)"
                                 " IS NOT NULL",
                                 names)[0]
                             .boolean(0);
  if (!are_there) return false;
  const std::string orphans = index::orphans_query(*key, *child, *parent);
  return !target.execute(fmt::format("SELECT EXISTS ({})", orphans))[0].boolean(0);
}

}  // namespace

std::set<Oid> find_mended_tables(pg::Connection& source, pg::Connection& target, const pg::SnapshotMark& earlier,
                                 const pg::SnapshotMark& now, const schema::Catalog& catalog,
                                 const copy::LedgerContents& ledger) {
  std::map<Oid, std::vector<const copy::LedgerPart*>> loaded;
  for (const copy::LedgerPart& part : ledger.parts) loaded[part.relation].push_back(&part);
  const std::map<std::string, Condition> there = read_conditions(target);
  std::set<Oid> candidates;
  for (const auto& [name, condition] : read_conditions(source)) {
    if (there.contains(name) || !loaded.contains(condition.table)) continue;
    if (condition.parent == 0) {
      candidates.insert(condition.table);
    } else if (!has_no_orphans(target, condition, catalog)) {
      candidates.insert(condition.table);
      candidates.merge(tree_of(condition.parent, catalog));
    }
  }
  std::set<Oid> mended;
  for (const Oid candidate : candidates) {
    const auto parts = loaded.find(candidate);
    const schema::Relation* table = catalog.relation(candidate);
    if (parts == loaded.end() || table == nullptr) continue;
    const auto is_another = [&](const copy::LedgerPart* part) {
      return has_changed(source, earlier, now, *table, *part);
    };
    if (std::any_of(parts->second.begin(), parts->second.end(), is_another)) mended.insert(candidate);
  }
  return mended;
}

}  // namespace pgsluice::pipeline
