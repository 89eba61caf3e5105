#include "pipeline/plan/work.h"

#include "schema/archive/acl.h"
#include "schema/archive/ddl_restore.h"
#include "schema/catalog/expression_settings.h"

namespace pgsluice::pipeline {

namespace {

std::vector<pg::Statement> refresh(const Plan& plan, const Task& task) {
  // It runs as the view's owner and shows what that role may see, as it did on the source: "off", which is right for
  // copying, would make it fail where row-level security is forced.
  const std::string sql = "SET LOCAL row_security = on;\n" + task.entry->definition;
  std::vector<pg::Statement> statements = {schema::entry_statement(plan.archive, *task.entry, plan.restore, sql)};
  if (task.relation != nullptr) statements.push_back({"ANALYZE " + task.relation->quoted()});
  return statements;
}

Statements as_it_is(const Task& task) { return {{pg::Statement{task.sql}}}; }

// Statements that extensions need have no entry.
Statements definition(const Plan& plan, const Task& task) {
  if (task.entry == nullptr) return as_it_is(task);
  return {{definition_statement(plan, *task.entry, definition_of(plan, task))}};
}

}  // namespace

std::string definition_of(const Plan& plan, const Task& task) {
  if (task.kind == TaskKind::kAcl) return schema::acl_definition(*task.entry, plan.restore, task.owners_part);
  return task.sql.empty() ? task.entry->definition : task.sql;
}

pg::Statement definition_statement(const Plan& plan, const schema::TocEntry& entry, const std::string& definition) {
  pg::Statement statement = schema::entry_statement(plan.archive, entry, plan.restore, definition);
  statement.sql.insert(0, schema::settings_for_definition(plan.catalog.expression_settings, definition));
  return statement;
}

Work work_of(const Plan& plan, const Task& task) {
  switch (task.kind) {
    case TaskKind::kBarrier:
      return Nothing{};
    case TaskKind::kPreData:
    case TaskKind::kIndexBuild:
    case TaskKind::kPostData:
    case TaskKind::kAcl:
    case TaskKind::kEventTrigger:
      return definition(plan, task);
    case TaskKind::kStatistics:
    case TaskKind::kValidation:
    case TaskKind::kDatabaseProperty:
      return as_it_is(task);
    case TaskKind::kMaterializedView:
      return Statements{refresh(plan, task)};
    case TaskKind::kTableData:
      return CopyRows{};
    case TaskKind::kLargeObjects:
      return CopyLargeObjects{};
    case TaskKind::kSequences:
      return SetSequences{task.sequences};
    case TaskKind::kCarriedStatistics:
      return CarryStatistics{};
    case TaskKind::kVerification:
      return VerifyRows{};
    case TaskKind::kReleaseSnapshot:
      return ReleaseSnapshot{};
    case TaskKind::kDurability:
      return Finish{};
  }
  return Nothing{};
}

}  // namespace pgsluice::pipeline
