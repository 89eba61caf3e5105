#include "pipeline/prepare/target_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/counted.h"
#include "base/sqlstate.h"
#include "copy/ledger.h"
#include "pg/quote.h"
#include "pgsluice/error.h"

namespace pgsluice::pipeline {

namespace {

using schema::EntryKind;

Error refused(Side side, std::string_view sqlstate, const std::string& message, std::string_view hint = {}) {
  return Error(ErrorKind::kServer, message).on(side).sqlstate(sqlstate).hint(hint);
}

void check_roles(const PlanInput& input, const ResolvedOptions& options) {
  std::set<std::string> needed;
  for (const schema::RoleUse& role : input.catalog.roles) {
    const bool wanted =
        role.is_named || (role.owns && options.restore.owners) || (role.is_granted && options.restore.acls);
    if (wanted) needed.insert(role.name);
  }
  for (const schema::TocEntry& entry : input.archive.entries) {
    if (options.restore.owners && !schema::owner_sql(entry).empty()) needed.insert(entry.owner);
  }
  std::vector<std::string> missing;
  for (const std::string& role : needed) {
    if (!input.inventory.roles.contains(role)) missing.push_back(pg::display_name("", role));
  }
  if (missing.empty()) return;
  throw refused(Side::kTarget, sqlstate::kUndefinedObject,
                fmt::format("roles that the database needs are missing: {}", some_of(missing)))
      .remedy(Remedy::kMakeRoles);
}

bool is_available(pg::Connection& target, std::string_view extension) {
  const std::array<std::string, 1> name = {std::string(extension)};
  return target.execute("SELECT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = $1)", name)[0]
      .boolean(0);
}

void check_extensions(pg::Connection& target, const PlanInput& input, const schema::ExtensionVersions& versions) {
  std::vector<std::string> missing;
  for (const schema::TocEntry& entry : input.archive.entries) {
    if (entry.kind != EntryKind::kExtension) continue;
    const auto there = input.inventory.extensions.find(entry.tag);
    const auto here = input.catalog.extensions.find(entry.tag);
    if (there != input.inventory.extensions.end()) {
      if (here == input.catalog.extensions.end() || here->second == there->second) continue;
      throw Error(ErrorKind::kState, fmt::format("the extension {} is in schema {}, on the source in {}", entry.tag,
                                                 there->second, here->second))
          .on(Side::kTarget)
          .hint(fmt::format("ALTER EXTENSION {} SET SCHEMA {}, or drop it there", pg::quote_identifier(entry.tag),
                            pg::quote_identifier(here->second)));
    }
    if (!is_available(target, entry.tag)) missing.push_back(entry.tag);
    const auto version = versions.find(entry.tag);
    if (version == versions.end()) continue;
    const std::array<std::string, 2> parameters = {entry.tag, version->second};
    if (target
            .execute("SELECT FROM pg_catalog.pg_available_extension_versions WHERE name = $1 AND version = $2",
                     parameters)
            .empty()) {
      missing.push_back(fmt::format("{} {}", entry.tag, version->second));
    }
  }
  std::vector<std::string> needed;
  for (const std::string& name : input.selection.needed_extensions) {
    if (!input.inventory.extensions.contains(name)) needed.push_back(pg::display_name("", name));
  }
  if (!needed.empty()) {
    throw refused(Side::kTarget, sqlstate::kUndefinedObject,
                  fmt::format("extensions that are left out are needed: {}", some_of(needed)),
                  "make them first, as a superuser if need be")
        .remedy(Remedy::kMakeExtensions);
  }
  if (missing.empty()) return;
  throw refused(Side::kTarget, sqlstate::kFeatureNotSupported,
                fmt::format("extensions are not available: {}", some_of(missing)),
                "install their packages on the target's server");
}

void check_tablespaces(const PlanInput& input, const ResolvedOptions& options) {
  if (!options.restore.tablespaces) return;
  std::set<std::string> missing;
  for (const schema::TocEntry& entry : input.archive.entries) {
    const std::string tablespace = entry.tablespace.value_or("");
    if (!tablespace.empty() && !input.inventory.tablespaces.contains(tablespace)) missing.insert(tablespace);
  }
  if (missing.empty()) return;
  throw refused(Side::kTarget, sqlstate::kUndefinedObject,
                fmt::format("tablespaces are missing: {}", some_of({missing.begin(), missing.end()})),
                "create them first")
      .remedy(Remedy::kOmitTablespaces);
}

void check_right_to_create(pg::Connection& target, const PlanInput& input) {
  const pg::Row rights = target.execute(
      "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),"
      " pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP')")[0];
  const bool may_create = rights.boolean(0);
  std::set<std::string> used;
  bool makes_in_database = false;
  for (const schema::TocEntry& entry : input.archive.entries) {
    if (entry.kind == EntryKind::kSchema && !input.inventory.schemas.contains(entry.tag)) makes_in_database = true;
    if (entry.kind == EntryKind::kExtension && !input.inventory.extensions.contains(entry.tag))
      makes_in_database = true;
    const std::string schema = entry.schema.value_or("");
    // Its own statement, not one about an object of another schema.
    const bool makes = !entry.kind.is_one_of({EntryKind::kExtension, EntryKind::kAcl, EntryKind::kComment,
                                              EntryKind::kSecurityLabel, EntryKind::kDefaultAcl}) &&
                       schema != "pg_catalog";
    if (makes && input.inventory.schemas.contains(schema)) used.insert(schema);
  }
  if (makes_in_database && !may_create) {
    throw refused(Side::kTarget, sqlstate::kInsufficientPrivilege,
                  fmt::format("{} may not create schemas and extensions in the database {}", target.user(),
                              pg::display_name("", target.database())),
                  fmt::format("GRANT CREATE ON DATABASE {} TO {}", pg::quote_identifier(target.database()),
                              pg::quote_identifier(target.user())));
  }
  for (const std::string& schema : used) {
    const std::array<std::string, 1> parameters = {schema};
    if (target.execute("SELECT pg_catalog.has_schema_privilege($1, 'CREATE')", parameters)[0].boolean(0)) continue;
    throw refused(Side::kTarget, sqlstate::kInsufficientPrivilege,
                  fmt::format("{} may not create in the schema {}", target.user(), pg::display_name("", schema)),
                  fmt::format("GRANT CREATE ON SCHEMA {} TO {}", pg::quote_identifier(schema),
                              pg::quote_identifier(target.user())));
  }
}

}  // namespace

void check_ledger_schema(pg::Connection& target, const PlanInput& input, const ResolvedOptions& options) {
  if (!options.ledger) return;
  const auto is_it = [](const schema::TocEntry& entry) {
    return entry.kind == EntryKind::kSchema && entry.tag == copy::kLedgerSchema;
  };
  if (std::any_of(input.archive.entries.begin(), input.archive.entries.end(), is_it)) {
    throw Error(ErrorKind::kState, "the source has a schema named pgsluice, which the clone needs on the target")
        .on(Side::kSource)
        .hint("drop it there if an unfinished clone into that database has left it")
        .remedy(Remedy::kOmitLedger);
  }
  // The inventory of a run that is resumed is that of its beginning.
  if (input.inventory.schemas.contains(copy::kLedgerSchema)) {
    throw Error(ErrorKind::kState, "the target has a schema named pgsluice that is not this program's")
        .on(Side::kTarget)
        .hint("rename or drop it")
        .remedy(Remedy::kOmitLedger);
  }
  if (target.execute("SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')")[0].boolean(
          0)) {
    return;
  }
  throw refused(
      Side::kTarget, sqlstate::kInsufficientPrivilege,
      fmt::format("{} may not create the schema pgsluice in the database {}, where the clone notes what it has "
                  "done",
                  target.user(), pg::display_name("", target.database())),
      fmt::format("GRANT CREATE ON DATABASE {} TO {}", pg::quote_identifier(target.database()),
                  pg::quote_identifier(target.user())))
      .remedy(Remedy::kOmitLedger);
}

void check_target(pg::Connection& target, const PlanInput& input, const ResolvedOptions& options) {
  check_right_to_create(target, input);
  check_roles(input, options);
  check_extensions(target, input, options.extension_versions);
  check_tablespaces(input, options);
}

}  // namespace pgsluice::pipeline
