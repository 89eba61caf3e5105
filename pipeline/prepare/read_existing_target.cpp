#include "pipeline/prepare/read_existing_target.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "pg/quote.h"
#include "pg/transaction.h"
#include "pgsluice/error.h"

namespace pgsluice::pipeline {

namespace {

using schema::Oid;
using schema::Relation;

constexpr std::size_t kNamesShown = 10;

// Where source and target name a column's type alike, binary values mean the same.
std::string type_of(const schema::Catalog& catalog, const Relation& table, std::size_t column) {
  const auto found = catalog.types.find(table.column_types[column]);
  return found == catalog.types.end() ? std::string() : found->second.name;
}

class Matcher {
 public:
  Matcher(const schema::Catalog& source, const schema::Catalog& target) : source_(source), target_(target) {
    for (const Relation& relation : target.relations) by_name_[{relation.schema, relation.name}] = &relation;
    for (const schema::ForeignKey& key : target.foreign_keys) parents_.insert(key.parent);
  }

  // By the source's tables of the same names.
  void match_foreign_keys(ExistingTarget& existing) const {
    std::map<std::pair<std::string, std::string>, Oid> at_source;
    for (const Relation& relation : source_.relations) at_source[{relation.schema, relation.name}] = relation.oid;
    const auto oid_at_source = [&](Oid there) -> Oid {
      const Relation* relation = target_.relation(there);
      const auto found = relation == nullptr ? at_source.end() : at_source.find({relation->schema, relation->name});
      return found == at_source.end() ? 0 : found->second;
    };
    for (const schema::ForeignKey& key : target_.foreign_keys) {
      const std::pair<Oid, Oid> ends = {oid_at_source(key.child), oid_at_source(key.parent)};
      if (ends.first != 0 && ends.second != 0) existing.foreign_keys.insert(ends);
    }
  }

  void match(const Relation& table, ExistingTarget& existing) {
    const auto found = by_name_.find({table.schema, table.name});
    if (found == by_name_.end()) {
      missing_.push_back(table.display());
      return;
    }
    const Relation& there = *found->second;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const auto column = std::find(there.columns.begin(), there.columns.end(), table.columns[i]);
      if (column == there.columns.end()) {
        missing_.push_back(fmt::format("column {} of {}", pg::display_name("", table.columns[i]), table.display()));
        continue;
      }
      const auto at = static_cast<std::size_t>(column - there.columns.begin());
      // Archives of pg_dump's name no types: their rows are text.
      const bool is_type_known = i < table.column_types.size();
      if (is_type_known && type_of(source_, table, i) != type_of(target_, there, at)) {
        existing.other_types.insert(table.oid);
      }
    }
    if (parents_.contains(there.oid)) existing.referenced.insert(table.oid);
    if (there.kind != table.kind && there.kind == schema::RelationKind::kPartitionedTable) {
      existing.partitioned.insert(table.oid);
    }
  }

  void require_all() const {
    if (missing_.empty()) return;
    const std::size_t shown = std::min(missing_.size(), kNamesShown);
    throw Error(ErrorKind::kState,
                fmt::format("what rows would go into is not there: {}{}",
                            fmt::join(missing_.begin(), missing_.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                            shown < missing_.size() ? fmt::format(" and {} more", missing_.size() - shown) : ""))
        .on(Side::kTarget)
        .remedy(Remedy::kMakeTables);
  }

 private:
  const schema::Catalog& source_;
  const schema::Catalog& target_;
  std::map<std::pair<std::string, std::string>, const Relation*> by_name_;
  std::set<Oid> parents_;
  std::vector<std::string> missing_;
};

void read_filled(pg::Connection& target, const std::vector<const Relation*>& tables, ExistingTarget& existing) {
  constexpr std::size_t kTablesInAQuery = 200;
  for (std::size_t begin = 0; begin < tables.size(); begin += kTablesInAQuery) {
    std::vector<std::string> looks;
    const std::size_t end = std::min(tables.size(), begin + kTablesInAQuery);
    for (std::size_t i = begin; i < end; ++i) {
      const bool has_own_rows =
          tables[i]->kind == schema::RelationKind::kTable && !existing.partitioned.contains(tables[i]->oid);
      looks.push_back(fmt::format("SELECT {}::oid WHERE EXISTS (SELECT FROM {}{})", tables[i]->oid,
                                  has_own_rows ? "ONLY " : "", tables[i]->quoted()));
    }
    for (const pg::Row row : target.execute(fmt::format("{}", fmt::join(looks, " UNION ALL ")))) {
      existing.filled.insert(row.oid(0));
    }
  }
}

// The server's own triggers enforce keys, and stay.
constexpr std::string_view kTriggersSql = R"(
SELECT n.nspname, c.relname, t.tgname, t.tgenabled = 'A', t.tgisinternal AND NOT r.rolsuper
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_roles r ON r.rolname = current_user
 WHERE t.tgenabled IN ('O', 'A') AND (t.tgtype & 4 <> 0 OR t.tgtype & 32 <> 0) AND c.relkind IN ('r', 'p')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.oid = t.tgconstraint AND k.contype <> 't')
 ORDER BY 1, 2, 3)";

struct FiringTrigger {
  std::string name;
  bool always = false;
  /// Before 15, those of partitions that were made with their parents' are for superusers to switch off.
  bool out_of_reach = false;
};

// Which triggers there are, by schema and table.
using Triggers = std::map<std::pair<std::string, std::string>, std::vector<FiringTrigger>>;

Triggers read_triggers(pg::Connection& target) {
  Triggers triggers;
  for (const pg::Row row : target.execute(kTriggersSql)) {
    triggers[{std::string(row.text(0)), std::string(row.text(1))}].push_back(
        {.name = std::string(row.text(2)), .always = row.boolean(3), .out_of_reach = row.boolean(4)});
  }
  return triggers;
}

TriggersOff switch_off(const Relation& table, const std::vector<FiringTrigger>& triggers) {
  std::vector<std::string> off;
  std::vector<std::string> on;
  for (const FiringTrigger& trigger : triggers) {
    const std::string name = pg::quote_identifier(trigger.name);
    off.push_back(fmt::format("DISABLE TRIGGER {}", name));
    on.push_back(fmt::format("ENABLE {}TRIGGER {}", trigger.always ? "ALWAYS " : "", name));
  }
  // A deferred key's checks would keep the table from being altered.
  return {.before = fmt::format("ALTER TABLE ONLY {} {}; ", table.quoted(), fmt::join(off, ", ")),
          .after = fmt::format("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE ONLY {} {}; ", table.quoted(),
                               fmt::join(on, ", "))};
}

// Rows that go through a root may land in any partition, so there the triggers are the user's to switch off.
void read_triggers_off(pg::Connection& target, const schema::Catalog& source,
                       const std::vector<const Relation*>& tables, ExistingTarget& existing) {
  const Triggers triggers = read_triggers(target);
  if (triggers.empty()) return;
  const auto of = [&](const Relation& table) { return triggers.find({table.schema, table.name}); };
  std::vector<std::string> in_the_way;
  for (const Relation* table : tables) {
    const Relation* root = table->load_via_root == 0 ? nullptr : source.relation(table->load_via_root);
    const auto found = of(*table);
    if (root != nullptr || existing.partitioned.contains(table->oid)) {
      for (const Relation* at : {table, root == nullptr ? table : root}) {
        if (of(*at) != triggers.end()) in_the_way.push_back(at->display());
      }
    } else if (found != triggers.end() &&
               std::any_of(found->second.begin(), found->second.end(),
                           [](const FiringTrigger& trigger) { return trigger.out_of_reach; })) {
      in_the_way.push_back(table->display());
    } else if (found != triggers.end()) {
      existing.triggers_off[table->oid] = switch_off(*table, found->second);
    }
  }
  if (in_the_way.empty()) return;
  std::sort(in_the_way.begin(), in_the_way.end());
  in_the_way.erase(std::unique(in_the_way.begin(), in_the_way.end()), in_the_way.end());
  throw Error(ErrorKind::kState,
              fmt::format("triggers of partitions would fire for rows that arrive, and cannot be switched off: {}",
                          fmt::join(in_the_way, ", ")))
      .on(Side::kTarget)
      .hint("ALTER TABLE … DISABLE TRIGGER USER until the rows are there");
}

}  // namespace

ExistingTarget read_existing_target(pg::Connection& target, const schema::Catalog& source,
                                    const std::vector<const Relation*>& tables) {
  ExistingTarget existing;
  target.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
  const schema::Catalog there = schema::read_catalog(target);
  Matcher matcher(source, there);
  for (const Relation* table : tables) matcher.match(*table, existing);
  matcher.require_all();
  matcher.match_foreign_keys(existing);
  std::vector<const Relation*> to_look_at = tables;
  for (const Relation* table : tables) {
    const Relation* root = table->load_via_root == 0 ? nullptr : source.relation(table->load_via_root);
    if (root != nullptr) to_look_at.push_back(root);
  }
  read_filled(target, to_look_at, existing);
  read_triggers_off(target, source, tables, existing);
  target.execute("COMMIT");
  for (const schema::Index& index : there.indexes) {
    existing.indexes[index.display()] = index.definition;
    const Relation* table = index.constraint == 0 ? nullptr : there.relation(index.table);
    if (table != nullptr) existing.constraints[constraint_key(*table, index.constraint_name)] = definition_of(index);
  }
  return existing;
}

}  // namespace pgsluice::pipeline
