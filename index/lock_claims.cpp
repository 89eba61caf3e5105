#include "index/lock_claims.h"

#include <algorithm>
#include <array>
#include <set>

#include "pgsluice/error.h"

namespace pgsluice::index {

namespace {

using schema::EntryKind;
using schema::Oid;
using schema::TocEntry;

struct KindRule {
  EntryKind::Known kind;
  LockMode mode;
  bool whole_tree;  // whether partitions and children are locked too
};

// Other kinds take ACCESS EXCLUSIVE on the relations that they touch: such statements are short.
constexpr std::array<KindRule, 9> kRules = {{
    {EntryKind::kIndex, LockMode::kShare, false},
    {EntryKind::kFkConstraint, LockMode::kShareRowExclusive, true},
    {EntryKind::kTrigger, LockMode::kShareRowExclusive, true},
    {EntryKind::kStatistics, LockMode::kShareUpdateExclusive, false},
    {EntryKind::kComment, LockMode::kShareUpdateExclusive, false},
    {EntryKind::kSecurityLabel, LockMode::kShareUpdateExclusive, false},
    {EntryKind::kPublicationTable, LockMode::kShareUpdateExclusive, false},
    {EntryKind::kCheckConstraint, LockMode::kAccessExclusive, true},
    {EntryKind::kConstraint, LockMode::kAccessExclusive, true},
}};

KindRule rule_for(const EntryKind& kind) {
  const auto* found = std::find_if(kRules.begin(), kRules.end(), [&](const KindRule& r) { return r.kind == kind; });
  return found == kRules.end() ? KindRule{kind.known(), LockMode::kAccessExclusive, false} : *found;
}

}  // namespace

bool conflicts(LockMode a, LockMode b) {
  // ROW SHARE conflicts only with ACCESS EXCLUSIVE, and of the other modes only SHARE can be held twice.
  if (a == LockMode::kRowShare || b == LockMode::kRowShare) {
    return a == LockMode::kAccessExclusive || b == LockMode::kAccessExclusive;
  }
  return !(a == LockMode::kShare && b == LockMode::kShare);
}

EntryRelations::EntryRelations(const schema::Archive& archive, const schema::Catalog& catalog) {
  for (const schema::Index& index : catalog.indexes) {
    table_of_index_[index.oid] = index.table;
    if (index.clustered || index.replica_identity) indexes_that_alter_.insert(index.oid);
    if (index.constraint != 0) tables_of_constraint_[index.constraint] = {index.table};
  }
  for (const schema::ForeignKey& key : catalog.foreign_keys) tables_of_constraint_[key.oid] = {key.child, key.parent};
  for (const schema::Trigger& trigger : catalog.triggers) table_of_trigger_[trigger.oid] = trigger.table;
  for (const schema::Inheritance& link : catalog.inheritance) {
    children_[link.parent].push_back(link.child);
    parents_[link.child].push_back(link.parent);
  }

  std::map<int, const TocEntry*> by_dump_id;
  for (const TocEntry& entry : archive.entries) by_dump_id[entry.dump_id] = &entry;
  // An entry stands after what it depends on, so its dependencies are known when it is reached.
  for (const TocEntry& entry : archive.entries) {
    std::vector<Oid> relations = own_relations(entry);
    if (relations.empty()) {
      std::set<Oid> found;
      for (const int dependency : entry.dependencies) {
        const auto known = relations_.find(dependency);
        if (known != relations_.end()) found.insert(known->second.begin(), known->second.end());
      }
      relations.assign(found.begin(), found.end());
    }
    relations_[entry.dump_id] = std::move(relations);
  }
}

std::vector<Oid> EntryRelations::own_relations(const TocEntry& entry) const {
  if (entry.catalog_id.table == schema::kPgClass) {
    const auto index = table_of_index_.find(entry.catalog_id.oid);
    if (index == table_of_index_.end()) return {entry.catalog_id.oid};
    return {index->second};
  }
  if (entry.catalog_id.table == schema::kPgTrigger) {
    const auto trigger = table_of_trigger_.find(entry.catalog_id.oid);
    if (trigger != table_of_trigger_.end()) return {trigger->second};
  }
  if (entry.catalog_id.table == schema::kPgConstraint) {
    const auto constraint = tables_of_constraint_.find(entry.catalog_id.oid);
    if (constraint != tables_of_constraint_.end()) return constraint->second;
  }
  return {};
}

const std::vector<Oid>& EntryRelations::of(const TocEntry& entry) const {
  const auto found = relations_.find(entry.dump_id);
  if (found == relations_.end()) throw Error(ErrorKind::kInternal, "an entry of another archive");
  return found->second;
}

namespace {

// Returns all that can be reached from a relation, the relation itself first.
std::vector<Oid> reachable(Oid relation, const std::map<Oid, std::vector<Oid>>& links) {
  std::vector<Oid> result = {relation};
  std::set<Oid> seen = {relation};
  for (std::size_t i = 0; i < result.size(); ++i) {
    const auto next = links.find(result[i]);
    if (next == links.end()) continue;
    for (const Oid found : next->second) {
      if (seen.insert(found).second) result.push_back(found);
    }
  }
  return result;
}

}  // namespace

std::vector<Oid> EntryRelations::tree(Oid relation) const { return reachable(relation, children_); }

std::vector<Oid> EntryRelations::ancestors(Oid relation) const {
  std::vector<Oid> result = reachable(relation, parents_);
  result.erase(result.begin());
  return result;
}

std::vector<LockClaim> EntryRelations::claims(const TocEntry& entry) const {
  KindRule rule = rule_for(entry.kind);
  // Its entry holds an ALTER TABLE beside the CREATE INDEX: the lock that is taken first is the one held to the end.
  if (entry.kind == EntryKind::kIndex && indexes_that_alter_.contains(entry.catalog_id.oid))
    rule.mode = LockMode::kAccessExclusive;
  std::set<Oid> relations;
  for (const Oid relation : of(entry)) {
    if (!rule.whole_tree) relations.insert(relation);
    if (rule.whole_tree) {
      for (const Oid member : tree(relation)) relations.insert(member);
    }
  }
  std::vector<LockClaim> result;
  for (const Oid relation : relations) result.push_back({relation, rule.mode});
  return result;
}

}  // namespace pgsluice::index
