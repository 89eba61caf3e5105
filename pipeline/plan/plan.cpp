#include "pipeline/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "pg/quote.h"
#include "pipeline/plan/graph_builder.h"
#include "pipeline/plan/options.h"
#include "pipeline/plan/steps_of_others.h"
#include "pipeline/plan/tasks_done.h"

namespace pgsluice::pipeline {

namespace {

using schema::Relation;
using schema::RelationKind;
using schema::TocEntry;

std::set<schema::Oid> find_indexes_left_invalid(const schema::Catalog& catalog) {
  std::map<schema::Oid, std::vector<schema::Oid>> parents;
  for (const schema::Inheritance& link : catalog.inheritance) parents[link.child].push_back(link.parent);
  std::set<schema::Oid> above_foreign;
  std::vector<schema::Oid> to_follow;
  for (const Relation& relation : catalog.relations) {
    if (relation.kind == RelationKind::kForeignTable) to_follow.push_back(relation.oid);
  }
  while (!to_follow.empty()) {
    const std::vector<schema::Oid> above = parents[to_follow.back()];
    to_follow.pop_back();
    for (const schema::Oid parent : above) {
      if (above_foreign.insert(parent).second) to_follow.push_back(parent);
    }
  }
  std::set<schema::Oid> indexes;
  for (const schema::Index& index : catalog.indexes) {
    if (index.on_partitioned_table && above_foreign.contains(index.table)) indexes.insert(index.oid);
  }
  return indexes;
}

void report_skipped(Plan& plan, const ResolvedOptions& options) {
  for (const schema::Index& index : plan.catalog.indexes) {
    if (index.valid && plan.indexes_left_invalid.contains(index.oid)) {
      plan.skipped.push_back(fmt::format(
          "index {} is marked invalid, as pg_restore leaves it: a partition is a foreign table; the others have theirs",
          index.display()));
    }
    if (index.valid && !index.complete) {
      plan.skipped.push_back(
          fmt::format("index {} is invalid on the source, and so it is here: a partition has none "
                      "that is attached to it",
                      index.display()));
    }
    if (!index.valid) plan.skipped.push_back(fmt::format("index {}: invalid on the source", index.display()));
  }
  for (const Relation& relation : plan.catalog.relations) {
    if (relation.kind == RelationKind::kForeignTable && relation.rows_wanted) {
      plan.skipped.push_back(fmt::format("rows of foreign table {}: they are on another server", relation.display()));
    }
  }
  for (const std::string& mapping : plan.catalog.hidden_user_mappings) {
    plan.skipped.push_back(
        fmt::format("options of the user mapping of {}: the source's user may not see them", mapping));
  }
  for (const TocEntry& entry : plan.archive.entries) {
    if (entry.kind == schema::EntryKind::kSubscription) {
      plan.warnings.push_back(fmt::format("{}: made disabled; enable it when the source's is gone", entry.describe()));
    }
  }
  if (!options.large_objects && plan.catalog.large_objects > 0) {
    plan.skipped.push_back(fmt::format("{} large objects: left out as asked", plan.catalog.large_objects));
  }
}

// Without a wish what the target's own sessions may use: half of what caches its tables, or what its configuration
// gives each build.
Bytes index_memory(const TargetResources& target, const ResolvedOptions& options) {
  if (options.index_memory.count > 0) return options.index_memory;
  return {std::max(target.shared_buffers.count / 2, target.maintenance_work_mem.count * options.index_jobs)};
}

// The definitions that belong after the rows follow them, unless the target had all of them before.
bool is_final_command(const Plan& plan, const Steps& steps, const std::set<std::string, std::less<>>& tasks_done) {
  if (steps.contains(Step::kPostData)) return true;
  if (!steps.contains(Step::kTableData) || !steps.contains(Step::kSequences)) return false;
  const std::vector<std::string> marks = task_marks(plan);
  for (TaskId id = 0; id < plan.graph.size(); ++id) {
    if (plan.graph[id].traits().step == Step::kPreData && tasks_done.contains(marks[id])) return false;
  }
  return true;
}

// Switching triggers off locks the table, and a row may refer to one of another part.
std::set<schema::Oid> one_stream_into(const ExistingTarget& existing) {
  std::set<schema::Oid> tables;
  for (const auto& [table, off] : existing.triggers_off) tables.insert(table);
  for (const auto& [child, parent] : existing.foreign_keys) {
    if (child == parent) tables.insert(child);
  }
  return tables;
}

// Owners and grantors whose part the target's user takes.
void report_roles_out_of_reach(Plan& plan) {
  std::set<std::string> owners = {plan.catalog.database.owner};
  schema::RoleNames grantors;
  for (const schema::DatabaseProperty& property : plan.properties) {
    grantors.insert(property.grantors_left_out.begin(), property.grantors_left_out.end());
  }
  for (const schema::TocEntry& entry : plan.archive.entries) {
    if (!schema::owner_sql(entry).empty()) owners.insert(entry.owner);
    const bool is_acl = entry.pass() == schema::RestorePass::kAcl && schema::is_restored(entry, plan.restore);
    if (is_acl) grantors.merge(schema::grantors_of(entry));
  }
  for (const std::string& role : plan.restore.out_of_reach) {
    const std::string name = pg::display_name("", role);
    if (plan.restore.owners && owners.contains(role)) {
      plan.skipped.push_back(fmt::format("owner {} of its objects: the target's user is not a member of it", name));
    }
    if (grantors.contains(role)) {
      plan.skipped.push_back(fmt::format(
          "grantor {} of privileges: the target's user is not a member of it, so that the owner grants them", name));
    }
  }
}

}  // namespace

std::vector<std::string> omitted_objects(const schema::Selection& selection) {
  std::vector<std::string> omitted;
  for (const std::string& named : selection.named) omitted.push_back(fmt::format("by the filter {}", named));
  for (const schema::Dependent& dependent : selection.dependents) {
    omitted.push_back(fmt::format("{}: it needs {}", dependent.object, dependent.because));
  }
  return omitted;
}

std::unique_ptr<const Plan> make_plan(PlanInput input, const ResolvedOptions& options, const CancelToken& cancel) {
  auto plan = std::make_unique<Plan>();
  plan->graph = TaskGraph(cancel);
  plan->options = options;
  plan->archive = std::move(input.archive);
  plan->catalog = std::move(input.catalog);
  plan->restore = options.restore;
  plan->restore.out_of_reach = std::move(input.roles_out_of_reach);
  plan->restore.target_version = input.target_version;
  plan->warnings = std::move(input.warnings);
  plan->properties = std::move(input.properties);
  plan->carries_statistics = input.carries_statistics;
  report_roles_out_of_reach(*plan);
  plan->drops = std::move(input.drops);
  for (const schema::Oid table : input.tables_to_empty) plan->tables_to_empty.push_back(plan->catalog.relation(table));
  if (input.existing) plan->existing = std::move(*input.existing);
  if (options.steps.contains(Step::kTableData)) {
    const ExistingTarget& existing = plan->existing;
    std::set<schema::Oid> not_frozen = existing.referenced;
    not_frozen.insert(existing.partitioned.begin(), existing.partitioned.end());
    plan->tables = plan_tables({.source = plan->catalog,
                                .target_version = input.target_version,
                                .table_jobs = options.table_jobs,
                                .format = options.format,
                                .use = options.verify ? copy::FormatUse::kCompare : copy::FormatUse::kCopy,
                                .split = options.split,
                                .key_spans = std::move(input.key_spans),
                                .loaded = std::move(input.loaded),
                                .other_types = existing.other_types,
                                .not_frozen = std::move(not_frozen),
                                .framed = std::move(input.framed),
                                .one_stream = one_stream_into(existing)});
  }
  const std::vector<std::string>& known = input.target_resources.toast_compressions;
  const std::string compression =
      options.toast_compression == ToastCompression::kAuto ? "lz4" : input.source_toast_compression;
  if (std::find(known.begin(), known.end(), compression) != known.end()) plan->toast_compression = compression;
  plan->index_memory = index_memory(input.target_resources, options);
  plan->max_parallel_workers = input.target_resources.max_parallel_maintenance_workers;
  plan->indexes_left_invalid = find_indexes_left_invalid(plan->catalog);
  for (std::string& omitted : omitted_objects(input.selection)) plan->skipped.push_back(std::move(omitted));
  report_skipped(*plan, options);
  build_graph(*plan, options, input.inventory);
  plan->is_final_command = is_final_command(*plan, options.steps, input.tasks_done);
  replace_steps_of_other_commands(plan->graph, plan->archive, options.steps, plan->is_final_command);
  plan->task_marks = task_marks(*plan);
  skip_existing_objects(*plan, input.tasks_done);
  return plan;
}

}  // namespace pgsluice::pipeline
