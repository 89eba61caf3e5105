#include "pipeline/plan/existing_target.h"

#include <fmt/format.h>

#include "pg/quote.h"
#include "pipeline/plan/plan.h"

namespace pgsluice::pipeline {

using schema::EntryKind;
using schema::Oid;
using schema::Relation;

std::string definition_of(const schema::Index& index) {
  return fmt::format("{} {}{}{}{}", index.constraint_type, index.definition, index.deferrable ? " deferrable" : "",
                     index.deferred ? " deferred" : "", index.without_overlaps ? " without overlaps" : "");
}

std::string constraint_key(const Relation& table, const std::string& constraint) {
  return table.display() + "." + pg::display_name("", constraint);
}

void skip_existing_objects(Plan& plan, const std::set<std::string, std::less<>>& tasks_done) {
  const ExistingTarget& existing = plan.existing;
  std::map<Oid, const schema::Index*> by_oid;
  std::map<Oid, const schema::Index*> by_constraint;
  for (const schema::Index& index : plan.catalog.indexes) {
    by_oid[index.oid] = &index;
    if (index.constraint != 0) by_constraint[index.constraint] = &index;
  }
  for (TaskId id = 0; id < plan.graph.size(); ++id) {
    Task& task = plan.graph[id];
    if (task.entry == nullptr) continue;
    const bool is_index = task.entry->kind == EntryKind::kIndex;
    if (!is_index && task.entry->kind != EntryKind::kConstraint) continue;
    const auto& indexes = is_index ? by_oid : by_constraint;
    const auto index = indexes.find(task.entry->catalog_id.oid);
    if (index == indexes.end() || tasks_done.contains(plan.task_marks[id])) continue;
    const Relation* table = plan.catalog.relation(index->second->table);
    const auto is_there = [](const auto& definitions, const std::string& name, const std::string& definition) {
      const auto found = definitions.find(name);
      return found != definitions.end() && found->second == definition;
    };
    const bool there =
        task.traits().step == Step::kIndexes
            ? is_there(existing.indexes, index->second->display(), index->second->definition)
            : table != nullptr && is_there(existing.constraints, constraint_key(*table, index->second->constraint_name),
                                           definition_of(*index->second));
    if (!there) continue;
    plan.skipped.push_back(fmt::format("{}: is on the target already", task.name));
    task = {.kind = TaskKind::kBarrier, .name = task.name + ", there already"};
    plan.task_marks[id].clear();
  }
}

}  // namespace pgsluice::pipeline
