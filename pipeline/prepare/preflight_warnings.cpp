#include "pipeline/prepare/preflight_warnings.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <utility>

#include "base/counted.h"
#include "pg/quote.h"
#include "pg/version.h"
#include "schema/archive/entry_sql.h"

namespace pgsluice::pipeline {

namespace {

// A role that is yet to be made has the privileges of PUBLIC.
bool may_create_in(pg::Connection& server, const std::string& role, const std::string& schema) {
  const std::array<std::string, 2> names = {role, schema};
  return server
      .execute(
          "SELECT coalesce((SELECT pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE')"
          "                   FROM pg_catalog.pg_roles r WHERE r.rolname = $1),"
          "  EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) a WHERE a.grantee = 0 AND a.privilege_type = "
          "'CREATE'))"
          "  FROM pg_catalog.pg_namespace n WHERE n.nspname = $2",
          names)[0]
      .boolean(0);
}

}  // namespace

std::optional<std::string> warn_of_an_old_target(const pg::Connection& target) {
  constexpr int kOldestTested = pg::kV12;
  if (target.server_version() >= kOldestTested) return std::nullopt;
  return fmt::format(
      "target: PostgreSQL {} is older than 12: pg_dump may write definitions that it does not know, which would be "
      "missing then",
      target.server_version_text());
}

std::vector<std::string> adopt_expression_settings(pg::Connection& target, schema::ExpressionSettings& settings,
                                                   Loads loads, const std::set<std::string>& that_come_along) {
  std::vector<std::string> warnings;
  const schema::ExpressionSettings own = schema::read_expression_settings(target);
  for (const std::string& refused : schema::apply_expression_settings(target, settings)) {
    warnings.push_back(
        fmt::format("the target refuses the source's {} = {}: expressions that depend on it get the "
                    "target's",
                    refused, settings[refused]));
    settings.erase(refused);
  }
  if (loads == Loads::kNothing) return warnings;
  std::string differences;
  std::string advice;
  for (const schema::ExpressionSettingDifference& difference : schema::compare_expression_settings(settings, own)) {
    if (that_come_along.contains(difference.name)) continue;
    differences +=
        fmt::format("{}{} is {} on the source, {} on the target", differences.empty() ? "" : "; ", difference.name,
                    difference.source, difference.target.empty() ? "unset" : difference.target);
    advice += fmt::format("; ALTER DATABASE {} SET {} = {}", pg::quote_identifier(target.database()), difference.name,
                          pg::quote_literal(difference.source));
  }
  if (differences.empty()) return warnings;
  warnings.push_back(
      fmt::format("settings that values of expressions depend on differ: {}. Indexes, generated columns "
                  "and materialized views are made as on the source; so that they stay so{}",
                  differences, advice));
  return warnings;
}

std::vector<std::string> find_owners_without_create(std::optional<pg::Connection>& source, pg::Connection& target,
                                                    const PlanInput& input) {
  std::vector<std::string> warnings;
  if (target.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")[0].boolean(0)) {
    return warnings;
  }
  std::map<std::pair<std::string, std::string>, std::size_t> objects;
  for (const schema::TocEntry& entry : input.archive.entries) {
    const std::string schema = entry.schema.value_or("");
    const bool is_there = !schema.empty() && input.inventory.roles.contains(entry.owner);
    const bool is_given = !schema::owner_sql(entry).empty() && !input.roles_out_of_reach.contains(entry.owner);
    if (is_there && is_given) ++objects[{entry.owner, schema}];
  }
  for (const auto& [owner, count] : objects) {
    const bool schema_is_there = input.inventory.schemas.contains(owner.second);
    if (!schema_is_there && !source) continue;
    if (may_create_in(schema_is_there ? target : *source, owner.first, owner.second)) continue;
    warnings.push_back(
        fmt::format("{} of {} in the schema {}, where {} may not create: {} grants it that for a moment, or else keeps "
                    "the objects, and "
                    "they are given to the owner at the end if the schema's privileges allow it by then; GRANT CREATE "
                    "ON SCHEMA {} TO "
                    "{}",
                    counted(count, "object"), pg::display_name("", owner.first), pg::display_name("", owner.second),
                    pg::display_name("", owner.first), target.user(), pg::quote_identifier(owner.second),
                    pg::quote_identifier(owner.first)));
  }
  return warnings;
}

}  // namespace pgsluice::pipeline
