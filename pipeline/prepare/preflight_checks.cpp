#include "pipeline/prepare/preflight_checks.h"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "base/counted.h"
#include "copy/large_objects.h"
#include "pg/quote.h"
#include "pg/server_identity.h"
#include "pg/version.h"
#include "pgsluice/error.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::pipeline {

void check_target_server(pg::Connection& target) {
  constexpr int kOldestTarget = pg::kV10;
  if (target.server_version() < kOldestTarget) {
    throw Error(ErrorKind::kState,
                fmt::format("the server is of version {}: a target is of 12 or later", target.server_version_text()))
        .on(Side::kTarget)
        .hint("clone into a server of a version that is still maintained");
  }
  if (target.execute("SELECT pg_catalog.pg_is_in_recovery()")[0].boolean(0)) {
    throw Error(ErrorKind::kState, "the server is a standby, which takes no writes")
        .on(Side::kTarget)
        .hint("clone into its primary")
        .remedy(Remedy::kCheckServers);
  }
}

void check_servers(pg::Connection& source, pg::Connection& target) {
  if (pg::release_of(target.server_version()) < pg::release_of(source.server_version())) {
    throw Error(ErrorKind::kState, fmt::format("the server is of version {}, older than the source's {}",
                                               target.server_version_text(), source.server_version_text()))
        .on(Side::kTarget)
        .hint("clone into a server of the same or a later version");
  }
  if (const auto reason = pg::why_not_apart(source, target, pg::Reach::kDatabase)) {
    throw Error(ErrorKind::kState, *reason).remedy(Remedy::kCheckServers);
  }
  check_target_server(target);
}

void refuse_large_objects_that_are_there(const std::set<schema::Oid>& on_source, pg::Connection& target) {
  const std::vector<std::string> conflicts = copy::find_large_object_conflicts(on_source, target, 10);
  if (conflicts.empty()) return;
  throw Error(ErrorKind::kState, fmt::format("the database {} is not empty: it has {}",
                                             pg::display_name("", target.database()), some_of(conflicts)))
      .on(Side::kTarget)
      .remedy(Remedy::kReplaceExisting)
      .remedy(Remedy::kStartOver);
}

void require_tables_exist(pg::Connection& target, const schema::Catalog& catalog, const Steps& steps) {
  std::vector<std::string> wanted;
  if (steps.contains(Step::kIndexes) || steps.contains(Step::kConstraints)) {
    std::set<std::string> tables;
    for (const schema::Index& index : catalog.indexes) {
      if (const schema::Relation* table = catalog.relation(index.table)) tables.insert(table->quoted());
    }
    wanted.assign(tables.begin(), tables.end());
  }
  if (steps.contains(Step::kSequences)) {
    for (const schema::Sequence& sequence : catalog.sequences) {
      wanted.push_back(pg::quote_qualified(sequence.schema, sequence.name));
    }
  }
  if (wanted.empty()) return;
  std::string literals;
  for (const std::string& name : wanted) literals += (literals.empty() ? "" : ", ") + pg::quote_literal(name);
  std::vector<std::string> missing;
  for (const pg::Row row : target.execute(fmt::format(
           "SELECT n FROM pg_catalog.unnest(ARRAY[{}]::text[]) n WHERE pg_catalog.to_regclass(n) IS NULL", literals))) {
    missing.emplace_back(row.text(0));
  }
  if (missing.empty()) return;
  throw Error(ErrorKind::kState,
              fmt::format("the target lacks tables or sequences that this step needs: {}", some_of(missing)))
      .on(Side::kTarget)
      .remedy(Remedy::kMakeTables);
}

void check_conflicts(std::optional<pg::Connection>& source, pg::Connection& target, PlanInput& input,
                     const ResolvedOptions& options) {
  schema::TargetObjects objects = source ? schema::find_target_objects(input.archive, *source, target)
                                         : schema::find_target_objects(input.archive, target);
  std::vector<std::string>& conflicts = objects.conflicts;
  if (conflicts.empty()) {
    if (objects.others == 0) return;
    input.warnings.push_back(fmt::format("the target database holds {} other objects, which stay{}", objects.others,
                                         options.database_properties
                                             ? "; its owner, privileges, comment and settings become the source's"
                                               " (unless they are left out)"
                                             : ""));
    target.log().warning(input.warnings.back());
    return;
  }
  throw Error(ErrorKind::kState, fmt::format("the database {} is not empty: it has {}",
                                             pg::display_name("", target.database()), some_of(conflicts)))
      .on(Side::kTarget)
      .hint("name another database")
      .remedy(Remedy::kStartOver)
      .remedy(Remedy::kReplaceExisting);
}

}  // namespace pgsluice::pipeline
