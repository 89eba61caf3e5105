#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "pipeline/plan/graph_stages.h"

namespace pgsluice::pipeline {

namespace {

using schema::EntryKind;
using schema::Oid;
using schema::Relation;
using schema::RelationKind;
using schema::Section;
using schema::TocEntry;

class LastStage {
 public:
  LastStage(GraphState& state, const PostData& post_data) : state_(state), post_data_(post_data) {}

  // The barrier after them.
  TaskId add_acls() {
    const TaskId acls_done = state_.add_barrier("privileges");
    state_.graph().after(acls_done, post_data_.done);
    std::map<int, TaskId> last_acl;
    const std::vector<const TocEntry*> entries = acl_entries();
    // A few are sent at once by the session that is there; those of very many objects in schemas are given by those
    // that have built the indexes. The grantor may need what was granted on the schema before.
    constexpr std::size_t kFew = 500;
    const bool are_shared = entries.size() > kFew;
    const TaskId first_done = state_.add_barrier("privileges on schemas and the like");
    state_.graph().after(first_done, post_data_.done);
    for (const TocEntry* wanted : entries) {
      const TocEntry& entry = *wanted;
      const bool is_shared = are_shared && is_of_object_in_schema(entry);
      const TaskId task = state_.graph().add({.kind = TaskKind::kAcl,
                                              .lane = is_shared ? Lane::kBuild : Lane::kMain,
                                              .name = entry.describe(),
                                              .cost = kStatementCost,
                                              .entry = &entry,
                                              .owners_part = owners_part_of(entry)});
      if (is_shared) {
        state_.graph().after(task, first_done);
      } else {
        state_.graph().after(task, post_data_.done);
        state_.graph().after(first_done, task);
      }
      state_.require_dependencies(task, entry);
      state_.task_of_entry[entry.dump_id] = task;
      // Privileges of a column come after the table's, which begin with REVOKE ALL. They may be tried again, so the
      // order of sending does not keep them apart; and not every pg_dump names the dependency.
      const int object = entry.dependencies.empty() ? 0 : entry.dependencies.front();
      if (const auto before = last_acl.find(object); before != last_acl.end())
        state_.graph().after(task, before->second);
      last_acl[object] = task;
      state_.graph().after(acls_done, task);
    }
    return acls_done;
  }

  // By the tag, as pg_dump has it since 11: "TABLE orders". What is not known as such goes first, in the archive's
  // order.
  static bool is_of_object_in_schema(const TocEntry& entry) {
    constexpr std::array<std::string_view, 4> kKinds = {"TABLE ", "COLUMN ", "SEQUENCE ", "FUNCTION "};
    return entry.kind == EntryKind::kAcl && std::any_of(kKinds.begin(), kKinds.end(), [&](std::string_view kind) {
             return entry.tag.starts_with(kind);
           });
  }

  std::vector<const TocEntry*> acl_entries() {
    std::vector<const TocEntry*> entries;
    for (const TocEntry& entry : state_.plan.archive.entries) {
      if (entry.pass() != schema::RestorePass::kAcl || !schema::is_restored(entry, state_.plan.restore)) continue;
      if (!state_.is_left_out(entry)) entries.push_back(&entry);
    }
    return entries;
  }

  // The owner's where this copy makes the object and gives it to him.
  schema::OwnersPart owners_part_of(const TocEntry& acl) const {
    for (const TaskId task : state_.dependencies_of(acl)) {
      const TocEntry* object = state_.plan.graph[task].entry;
      const bool is_given = object != nullptr && object->owner == acl.owner && !schema::owner_sql(*object).empty();
      if (is_given) return schema::OwnersPart::kByOwner;
    }
    return schema::OwnersPart::kByCurrentUser;
  }

  // Materialized views, then event triggers, then what concerns the database as a whole.
  void add_last(TaskId acls_done) {
    const TaskId views_done = add_materialized_views(acls_done);
    const TaskId triggers_done = add_event_triggers(views_done);
    const TaskId durable =
        state_.graph().add({.kind = TaskKind::kDurability, .lane = Lane::kMain, .name = "flush of the target's log"});
    state_.graph().after(durable, triggers_done);
    for (const TaskId task : add_properties(triggers_done)) state_.graph().after(durable, task);
  }

  // Returns the barrier after them.
  TaskId add_materialized_views(TaskId acls_done) {
    const TaskId views_done = state_.add_barrier("materialized views");
    state_.graph()[views_done].is_last_chance = true;
    state_.graph().after(views_done, acls_done);
    for (const TocEntry* wanted : entries_after_acls()) {
      const TocEntry& entry = *wanted;
      if (!is_refresh(entry)) continue;
      Task refresh{.kind = TaskKind::kMaterializedView,
                   .lane = Lane::kBuild,
                   .name = entry.describe(),
                   .cost = kMaxCostTogether,  // a small view may come of a long query
                   .claims = state_.relations.claims(entry),
                   .entry = &entry};
      if (const Relation* view = view_of(entry)) {
        refresh.cost += static_cast<double>(view->size().count);
        refresh.relation = view;
      }
      const TaskId task = state_.graph().add(std::move(refresh));
      state_.graph().after(task, acls_done);
      state_.require_dependencies(task, entry);
      state_.task_of_entry[entry.dump_id] = task;
      state_.graph().after(views_done, task);
    }
    return views_done;
  }

  // Returns the barrier after them.
  TaskId add_event_triggers(TaskId views_done) {
    const TaskId triggers_done = state_.add_barrier("event triggers");
    state_.graph().after(triggers_done, views_done);
    for (const TocEntry* entry : entries_after_acls()) {
      if (is_refresh(*entry)) continue;
      const TaskId task = state_.graph().add({.kind = TaskKind::kEventTrigger,
                                              .lane = Lane::kMain,
                                              .name = entry->describe(),
                                              .cost = kStatementCost,
                                              .entry = entry});
      state_.graph().after(task, views_done);
      state_.require_dependencies(task, *entry);
      state_.task_of_entry[entry->dump_id] = task;
      state_.graph().after(triggers_done, task);
    }
    return triggers_done;
  }

  // Properties of the database, and statements that extensions need after a restore.
  std::vector<TaskId> add_properties(TaskId triggers_done) {
    std::vector<TaskId> properties_done;
    for (const schema::DatabaseProperty& property : state_.plan.properties) {
      const TaskId task = state_.graph().add({.kind = TaskKind::kDatabaseProperty,
                                              .lane = Lane::kMain,
                                              .name = property.description,
                                              .cost = kStatementCost,
                                              .sql = property.statement});
      state_.graph().after(task, triggers_done);
      properties_done.push_back(task);
    }
    if (const auto call = schema::after_restore(extensions_there())) {
      properties_done.push_back(state_.graph().add({.kind = TaskKind::kPostData,
                                                    .lane = Lane::kMain,
                                                    .name = call->description,
                                                    .cost = kStatementCost,
                                                    .sql = call->sql,
                                                    .repeated = true}));
      state_.graph().after(properties_done.back(), triggers_done);
    }
    return properties_done;
  }

  std::vector<const TocEntry*> entries_after_acls() const {
    std::vector<const TocEntry*> entries;
    for (const TocEntry& entry : state_.plan.archive.entries) {
      if (state_.wanted(entry, Section::kPostData, schema::RestorePass::kPostAcl)) entries.push_back(&entry);
    }
    return entries;
  }
  static bool is_refresh(const TocEntry& entry) { return entry.kind == EntryKind::kMaterializedViewData; }

  // Extensions of the source that were on the target, or are made.
  std::map<std::string, std::string, std::less<>> extensions_there() const {
    std::map<std::string, std::string, std::less<>> extensions = state_.plan.catalog.extensions;
    std::set<std::string, std::less<>> made;
    for (const TocEntry& entry : state_.plan.archive.entries) {
      if (entry.kind == EntryKind::kExtension) made.insert(entry.tag);
    }
    std::erase_if(extensions, [&](const auto& extension) {
      return !made.contains(extension.first) && !state_.inventory.extensions.contains(extension.first);
    });
    return extensions;
  }

  const Relation* view_of(const TocEntry& entry) const {
    for (const Oid relation : state_.relations.of(entry)) {
      const Relation* view = state_.plan.catalog.relation(relation);
      if (view != nullptr && view->kind == RelationKind::kMaterializedView && view->name == entry.tag) return view;
    }
    return nullptr;
  }

 private:
  GraphState& state_;
  const PostData& post_data_;
};

}  // namespace

void add_last(GraphState& state, const PostData& post_data) {
  LastStage stage(state, post_data);
  stage.add_last(stage.add_acls());
}

}  // namespace pgsluice::pipeline
