#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pgsluice/pipeline/task_graph.h"
#include "pgsluice/schema/database_properties.h"
#include "pgsluice/schema/inventory.h"

namespace pgsluice::pipeline {

struct CloneOptions;

/// How one table's rows cross.
struct TablePlan {
  const schema::Relation* table = nullptr;
  const schema::Relation* into = nullptr;
  std::string method;
  int parts = 1;
  std::string format;
  std::string reason;
};

/// What a clone will do. Its parts refer to one another, so it stays where it was made; read-only then, any thread.
struct Plan {
  Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  schema::Archive archive;
  schema::Catalog catalog;
  schema::RestoreOptions restore;
  std::vector<schema::DatabaseProperty> properties;

  std::vector<TablePlan> tables;
  TaskGraph graph;
  /// What will not be done, and why: invalid indexes, what is on the target already, owners one may not act for.
  std::vector<std::string> skipped;
  std::vector<std::string> warnings;
};

/// What make_plan() is made from.
struct PlanInput {
  schema::Archive archive;
  schema::Catalog catalog;
  schema::TargetInventory inventory;
  std::vector<schema::DatabaseProperty> properties;
  std::string target_database;
  /// Owners to whom this user may not give objects on the target.
  std::vector<std::string> owners_out_of_reach;
  std::vector<std::string> warnings;
};

/// The tables that are copied: those with rows of their own, extensions' configuration included.
std::vector<const schema::Relation*> tables_to_copy(const schema::Catalog& catalog);

/// Decides how each table crosses and builds the graph of tasks (docs/architecture.md, 7).
std::unique_ptr<const Plan> make_plan(PlanInput input, const CloneOptions& options);

}  // namespace pgsluice::pipeline
