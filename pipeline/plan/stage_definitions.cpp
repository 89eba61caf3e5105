#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "pipeline/plan/graph_stages.h"

namespace pgsluice::pipeline {

namespace {

using schema::EntryKind;
using schema::TocEntry;

// They concern only what they name as dependencies, and pg_dump puts them after all tables.
bool may_come_earlier(const TocEntry& entry) {
  return entry.kind.is_one_of({EntryKind::kDefault, EntryKind::kSequenceOwnedBy, EntryKind::kComment});
}

// The entries of the section, those that may come earlier right after the last of their dependencies.
std::vector<const TocEntry*> in_order_of_sending(const GraphState& state) {
  std::vector<const TocEntry*> entries;
  for (const TocEntry& entry : state.plan.archive.entries) {
    if (state.wanted(entry, schema::Section::kPreData, schema::RestorePass::kMain)) entries.push_back(&entry);
  }
  std::map<int, std::size_t> anchors;  // by dump id
  for (std::size_t at = 0; at < entries.size(); ++at) {
    std::size_t anchor = at;
    if (may_come_earlier(*entries[at])) {
      std::optional<std::size_t> last;
      for (const int dependency : entries[at]->dependencies) {
        const auto found = anchors.find(dependency);
        if (found != anchors.end()) last = std::max(last.value_or(0), found->second);
      }
      anchor = last.value_or(at);
    }
    anchors[entries[at]->dump_id] = anchor;
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [&](const TocEntry* a, const TocEntry* b) { return anchors[a->dump_id] < anchors[b->dump_id]; });
  return entries;
}

// Definitions that need nothing but what they name as dependencies, and of which there are very many. They are made on
// the sessions that build indexes later, beside the others and one another.
bool may_be_made_beside_others(const TocEntry& entry) {
  return entry.kind.is_one_of(
      {EntryKind::kTable, EntryKind::kSequence, EntryKind::kDefault, EntryKind::kSequenceOwnedBy});
}

// No dependency tells that an expression is converted by a cast.
bool is_cast(const TocEntry& entry) { return entry.kind.words() == "CAST"; }

// An extension that wants to be called between definitions decides what they do: each finds those before it done.
bool has_calls_between(const GraphState& state) {
  const schema::Catalog& catalog = state.plan.catalog;
  return !catalog.distributed.empty() || schema::before_restore(catalog.extensions).has_value();
}

// One session carries out what is sent to it in this order; what another one does has to be answered first.
void require_definition(GraphState& state, TaskId task, TaskId needed) {
  const TaskGraph& graph = state.graph();
  if (graph[task].lane == Lane::kMain && graph[needed].lane == Lane::kMain) {
    state.graph().require_in_order(task, needed);
  } else {
    state.graph().require(task, needed);
  }
}

bool is_relation(const GraphState& state, const TocEntry& entry) {
  return entry.catalog_id.table == schema::kPgClass && state.plan.catalog.relation(entry.catalog_id.oid) != nullptr;
}

// Some extensions need statements that have no entry; they run in the order of the main lane.
TaskId add_call(GraphState& state, const PreData& made, const std::string& name, const std::string& sql,
                bool repeated) {
  const TaskId task = state.graph().add({.kind = TaskKind::kPreData,
                                         .lane = Lane::kMain,
                                         .name = name,
                                         .cost = kStatementCost,
                                         .sql = sql,
                                         .repeated = repeated});
  state.graph().after(made.done, task);
  return task;
}

// As soon as the extension is there: TimescaleDB's own triggers keep away from then on.
void call_before_restore(GraphState& state, const PreData& made, bool extension_is_there) {
  const auto call = schema::before_restore(state.plan.catalog.extensions);
  if (call && extension_is_there) add_call(state, made, call->description, call->sql, true);
}

// Behind all tables, since they may name one another. Rows wait for it.
void distribute_tables(GraphState& state, PreData& made) {
  for (const schema::DistributedTable& distributed : state.plan.catalog.distributed) {
    const auto table = made.task_of_relation.find(distributed.table);
    if (table == made.task_of_relation.end()) continue;
    if (distributed.sql.empty()) {
      state.plan.skipped.push_back(fmt::format("distribution of {}: of a schema that Citus distributes as a whole",
                                               state.plan.catalog.relation(distributed.table)->display()));
      continue;
    }
    const std::string name = "distribution of " + state.plan.catalog.relation(distributed.table)->display();
    const TaskId task = add_call(state, made, name, distributed.sql, false);
    state.graph().require_in_order(task, table->second);
    for (const schema::Oid member : state.relations.tree(distributed.table)) {
      made.touching[member].push_back(task);
    }
    table->second = task;
  }
}

}  // namespace

PreData add_pre_data(GraphState& state) {
  PreData made(state.add_barrier("definitions before the data"));
  call_before_restore(state, made, state.inventory.extensions.contains("timescaledb"));
  const bool all_in_order = has_calls_between(state);
  std::optional<TaskId> last_cast;
  for (const TocEntry* entry : in_order_of_sending(state)) {
    if (state.is_left_out(*entry)) continue;
    const bool is_beside = !all_in_order && may_be_made_beside_others(*entry);
    const TaskId task = state.graph().add({.kind = TaskKind::kPreData,
                                           .lane = is_beside ? Lane::kBuild : Lane::kMain,
                                           .name = entry->describe(),
                                           .cost = kStatementCost,
                                           .entry = entry});
    for (const TaskId needed : state.dependencies_of(*entry)) require_definition(state, task, needed);
    if (is_beside && last_cast) state.graph().after(task, *last_cast);
    if (is_cast(*entry)) last_cast = task;
    state.task_of_entry[entry->dump_id] = task;
    if (entry->kind == EntryKind::kServer) state.task_of_server[entry->tag] = task;
    if (is_relation(state, *entry)) made.task_of_relation[entry->catalog_id.oid] = task;
    std::set<schema::Oid> touched = made.touched_by(state, *entry);
    for (const schema::Oid relation : touched) made.touching[relation].push_back(task);
    made.touched_by_entry[entry->dump_id] = std::move(touched);
    state.graph().after(made.done, task);
    call_before_restore(state, made, entry->kind == EntryKind::kExtension && entry->tag == "timescaledb");
  }
  distribute_tables(state, made);
  return made;
}

}  // namespace pgsluice::pipeline
