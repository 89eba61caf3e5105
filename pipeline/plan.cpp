#include "pgsluice/pipeline/plan.h"

#include <fmt/format.h>

#include "pgsluice/pg/quote.h"
#include "pgsluice/pipeline/clone.h"
#include "pgsluice/pipeline/graph_builder.h"

namespace pgsluice::pipeline {

namespace {

using schema::Relation;
using schema::RelationKind;
using schema::TocEntry;

TablePlan plan_table(const schema::Catalog& catalog, const Relation& table) {
  TablePlan result{.table = &table, .into = &table, .method = "COPY", .parts = 1, .format = "text", .reason = ""};
  if (const Relation* root = table.load_through == 0 ? nullptr : catalog.relation(table.load_through)) {
    result.into = root;
    result.method = "COPY through " + root->display();
    result.reason = table.sorted_under == table.load_through ? "the target sorts the partitions' key in another way"
                                                             : "the hash of an enum value is another one on the target";
  } else if (table.extension_condition) {
    result.reason = "configuration of an extension";
  } else {
    result.reason = "one stream";
  }
  return result;
}

void report_skipped(Plan& plan, const CloneOptions& options) {
  for (const schema::Index& index : plan.catalog.indexes) {
    if (!index.valid) plan.skipped.push_back(fmt::format("index {}: invalid on the source", index.display()));
  }
  for (const Relation& relation : plan.catalog.relations) {
    if (relation.kind == RelationKind::kForeignTable) {
      plan.skipped.push_back(fmt::format("rows of foreign table {}: they are on another server", relation.display()));
    }
  }
  for (const std::string& mapping : plan.catalog.hidden_user_mappings) {
    plan.skipped.push_back(
        fmt::format("options of the user mapping of {}: the source's user may not see them", mapping));
  }
  for (const TocEntry& entry : plan.archive.entries) {
    if (entry.kind == "SUBSCRIPTION") {
      plan.warnings.push_back(fmt::format("{}: made disabled; enable it when the source's is gone", entry.describe()));
    }
  }
  if (!options.large_objects && plan.catalog.large_objects > 0) {
    plan.skipped.push_back(fmt::format("{} large objects: left out as asked", plan.catalog.large_objects));
  }
}

}  // namespace

std::vector<const Relation*> tables_to_copy(const schema::Catalog& catalog) {
  std::vector<const Relation*> result;
  for (const Relation& relation : catalog.relations) {
    if (relation.kind == RelationKind::kTable) result.push_back(&relation);
  }
  return result;
}

std::unique_ptr<const Plan> make_plan(PlanInput input, const CloneOptions& options) {
  auto plan = std::make_unique<Plan>();
  plan->archive = std::move(input.archive);
  plan->catalog = std::move(input.catalog);
  plan->restore = options.restore;
  for (std::string& owner : input.owners_out_of_reach) {
    plan->skipped.push_back(
        fmt::format("owner {} of its objects: the target's user is not a member of it", pg::display_name("", owner)));
    plan->restore.owners_left_out.insert(std::move(owner));
  }
  plan->warnings = std::move(input.warnings);
  plan->properties = std::move(input.properties);
  for (const Relation* table : tables_to_copy(plan->catalog)) {
    plan->tables.push_back(plan_table(plan->catalog, *table));
  }
  report_skipped(*plan, options);
  build_graph(*plan, options, input.inventory);
  return plan;
}

}  // namespace pgsluice::pipeline
