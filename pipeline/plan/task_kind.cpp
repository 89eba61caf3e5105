#include "pipeline/plan/task_kind.h"

#include <algorithm>
#include <array>

namespace pgsluice::pipeline {

namespace {

// In the order of the enumeration.
constexpr std::array<KindTraits, 17> kKinds = {{
    {.kind = TaskKind::kBarrier, .id = "barrier", .label = "wait", .repeating = Repeating::kAlways},
    {.kind = TaskKind::kPreData,
     .id = "pre-data",
     .label = "definitions",
     .step = Step::kPreData,
     .retry = Retry::kInOrder},
    {.kind = TaskKind::kTableData,
     .id = "table-data",
     .label = "table data",
     .step = Step::kTableData,
     .jobs = Jobs::kTableJobs,
     .batching = Batching::kSmallTogether,
     .repeating = Repeating::kAlways,  // the ledger has their parts
     .needs_snapshot = true,
     .reads_source = true,
     .is_listed = true},
    {.kind = TaskKind::kLargeObjects,
     .id = "large-objects",
     .label = "large objects",
     .step = Step::kLargeObjects,
     .needs_snapshot = true,
     .reads_source = true},
    {.kind = TaskKind::kSequences,
     .id = "sequences",
     .label = "sequences",
     .step = Step::kSequences,
     .repeating = Repeating::kAlways,
     .reads_source = true},
    {.kind = TaskKind::kReleaseSnapshot,
     .id = "release-snapshot",
     .label = "release snapshot",
     .repeating = Repeating::kAlways},
    {.kind = TaskKind::kIndexBuild,
     .id = "index-build",
     .label = "index builds",
     .step = Step::kIndexes,
     .jobs = Jobs::kIndexJobs,
     .sorts = true,
     .is_maintenance = true,
     .is_listed = true},
    {.kind = TaskKind::kPostData,
     .id = "post-data",
     .label = "constraints, triggers and the rest",
     .step = Step::kPostData,
     .jobs = Jobs::kIndexJobs,
     .sorts = true,
     .is_maintenance = true},
    {.kind = TaskKind::kCarriedStatistics,
     .id = "carried-statistics",
     .label = "statistics of the source",
     .step = Step::kStatistics,
     .jobs = Jobs::kTableJobs,
     .batching = Batching::kTogether,
     .repeating = Repeating::kAlways,
     .on_error = OnError::kSkipped,
     .reads_source = true,
     .is_maintenance = true},
    {.kind = TaskKind::kStatistics,
     .id = "statistics",
     .label = "vacuum and statistics",
     .step = Step::kStatistics,
     .jobs = Jobs::kIndexJobs,
     .repeating = Repeating::kAlways,
     .on_error = OnError::kSkipped,  // the planner lacks numbers that ANALYZE makes at any time
     .is_maintenance = true},
    {.kind = TaskKind::kValidation,
     .id = "validation",
     .label = "foreign key validation",
     .step = Step::kPostData,
     .jobs = Jobs::kIndexJobs,
     .sorts = true},
    {.kind = TaskKind::kVerification,
     .id = "verification",
     .label = "verification of rows",
     .step = Step::kTableData,
     .jobs = Jobs::kIndexJobs,
     .repeating = Repeating::kAlways},
    {.kind = TaskKind::kAcl,
     .id = "acl",
     .label = "privileges",
     .step = Step::kPostData,
     .needed_right = NeededRight::kOwnersMembership,
     .gives_privileges = true},
    {.kind = TaskKind::kMaterializedView,
     .id = "materialized-view",
     .label = "materialized views",
     .step = Step::kPostData,
     .jobs = Jobs::kIndexJobs,
     .is_maintenance = true,
     .stores_rows_of_other_tables = true},
    {.kind = TaskKind::kEventTrigger, .id = "event-trigger", .label = "event triggers", .step = Step::kPostData},
    {.kind = TaskKind::kDatabaseProperty,
     .id = "database-property",
     .label = "database properties",
     .step = Step::kPostData,
     .repeating = Repeating::kAlways,
     .needed_right = NeededRight::kSuperuser},
    {.kind = TaskKind::kDurability, .id = "durability", .label = "flush", .repeating = Repeating::kAlways},
}};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (static_cast<std::size_t>(kKinds[i].kind) != i) return false;
  }
  return true;
}
static_assert(is_in_order());

}  // namespace

const KindTraits& traits_of(TaskKind kind) { return kKinds.at(static_cast<std::size_t>(kind)); }

std::optional<TaskKind> task_kind_of(std::string_view id) {
  const auto found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const KindTraits& traits) { return traits.id == id; });
  return found == kKinds.end() ? std::nullopt : std::optional(found->kind);
}

}  // namespace pgsluice::pipeline
