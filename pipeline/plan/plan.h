#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/plan/existing_target.h"
#include "pipeline/plan/options.h"
#include "pipeline/plan/table_plan.h"
#include "pipeline/plan/task_graph.h"
#include "schema/archive/acl.h"
#include "schema/archive/drops.h"
#include "schema/catalog/database_properties.h"
#include "schema/catalog/inventory.h"
#include "schema/selection/selection.h"

namespace pgsluice::pipeline {

/// The plan of a clone. Its parts refer to one another, so it stays where it was made; read-only then, any thread.
struct Plan {
  Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  /// The options that this plan was made from. Nothing that runs it reads others.
  ResolvedOptions options;
  schema::Archive archive;
  schema::Catalog catalog;
  schema::RestoreOptions restore;
  std::vector<schema::DatabaseProperty> properties;

  /// To be carried out first, in one transaction: what drops what is there.
  std::vector<schema::Drop> drops;
  /// Tables that hold rows which are not this run's.
  std::vector<const schema::Relation*> tables_to_empty;
  /// Objects already on the target. Set only for commands that load into tables made by others.
  ExistingTarget existing;
  std::vector<TablePlan> tables;
  /// The compression of large values in the loading sessions; empty: the target's own setting.
  std::string toast_compression;
  /// For all index builds that run at once.
  Bytes index_memory;
  /// The number of parallel workers that the target's configuration gives one build.
  int max_parallel_workers = 0;
  /// True if the source's statistics are written to the target where they are current.
  bool carries_statistics = false;
  TaskGraph graph;
  /// Indexes of partitioned tables with a foreign table among their partitions: an archive makes them in a way that
  /// leaves them invalid.
  std::set<schema::Oid> indexes_left_invalid;
  /// True if no later command has to follow.
  bool is_final_command = true;
  /// Identifies each task's statement in the ledger; empty for a task that is simply done again.
  std::vector<std::string> task_marks;
  /// Work that will not be done, and why: invalid indexes, objects that exist, owners one may not act for.
  std::vector<std::string> skipped;
  std::vector<std::string> warnings;
};

/// The limits of the target's configuration.
struct TargetResources {
  Bytes maintenance_work_mem;
  Bytes shared_buffers;
  int max_parallel_maintenance_workers = 0;
  std::vector<std::string> toast_compressions;  ///< from 14 on: "pglz", "lz4"
};

/// Describes, for people, the objects that a filter omits and those that need them: "view public.totals: it needs table
/// public.orders".
std::vector<std::string> omitted_objects(const schema::Selection& selection);

/// The input of make_plan().
struct PlanInput {
  schema::Archive archive;
  schema::Catalog catalog;
  /// The objects that were left out of these.
  schema::Selection selection;
  schema::TargetInventory inventory;
  std::vector<schema::DatabaseProperty> properties;
  std::string target_database;
  int target_version = 0;
  /// See carries_statistics() in prepare/carried_statistics.h.
  bool carries_statistics = false;
  std::string source_toast_compression = "pglz";
  TargetResources target_resources;
  std::map<schema::Oid, copy::KeySpan> key_spans;
  /// Parts of tables that an earlier run has loaded.
  std::map<schema::Oid, std::vector<copy::RowRange>> loaded;
  /// See TablePlanInput::framed.
  std::optional<std::map<schema::Oid, Bytes>> framed = std::nullopt;
  /// See Plan::existing.
  std::optional<ExistingTarget> existing = std::nullopt;
  std::set<std::string, std::less<>> tasks_done = {};
  std::set<schema::Oid> tables_to_empty = {};
  std::vector<schema::Drop> drops = {};
  /// The target's roles that this user may not act for.
  schema::RoleNames roles_out_of_reach;
  std::vector<std::string> warnings;
};

/// Decides how each table crosses and builds the graph of tasks (docs/architecture.md, 7).
/// Throws Error(kCancelled) soon after a cancellation: the plan of thousands of partitions takes seconds.
std::unique_ptr<const Plan> make_plan(PlanInput input, const ResolvedOptions& options, const CancelToken& cancel = {});

}  // namespace pgsluice::pipeline
