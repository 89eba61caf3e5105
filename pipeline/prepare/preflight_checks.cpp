#include "pipeline/prepare/preflight_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <set>

#include "base/counted.h"
#include "base/error.h"
#include "base/sqlstate.h"
#include "copy/copy_statement.h"
#include "copy/large_objects.h"
#include "copy/ledger.h"
#include "copy/row_digest.h"
#include "pg/quote.h"
#include "pg/server_identity.h"
#include "pg/snapshot.h"
#include "pg/version.h"
#include "schema/archive/pg_dump.h"

namespace pgsluice::pipeline {

namespace {

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
    if (entry.kind != "EXTENSION") continue;
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
    if (entry.kind == "SCHEMA" && !input.inventory.schemas.contains(entry.tag)) makes_in_database = true;
    if (entry.kind == "EXTENSION" && !input.inventory.extensions.contains(entry.tag)) makes_in_database = true;
    const std::string schema = entry.schema.value_or("");
    // Its own statement, not one about an object of another schema.
    const bool makes = entry.kind != "EXTENSION" && entry.kind != "ACL" && entry.kind != "COMMENT" &&
                       entry.kind != "SECURITY LABEL" && entry.kind != "DEFAULT ACL" && schema != "pg_catalog";
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

void check_servers(pg::Connection& source, pg::Connection& target) {
  if (pg::release_of(target.server_version()) < pg::release_of(source.server_version())) {
    throw Error(ErrorKind::kState, fmt::format("the server is of version {}, older than the source's {}",
                                               target.server_version_text(), source.server_version_text()))
        .on(Side::kTarget)
        .hint("clone into a server of the same or a later version");
  }
  constexpr int kOldestTarget = pg::kV10;
  if (target.server_version() < kOldestTarget) {
    throw Error(ErrorKind::kState,
                fmt::format("the server is of version {}: a target is of 12 or later", target.server_version_text()))
        .on(Side::kTarget)
        .hint("clone into a server of a version that is still maintained");
  }
  if (const auto reason = pg::why_not_apart(source, target, pg::Reach::kDatabase)) {
    throw Error(ErrorKind::kState, *reason).remedy(Remedy::kCheckServers);
  }
  if (target.execute("SELECT pg_catalog.pg_is_in_recovery()")[0].boolean(0)) {
    throw Error(ErrorKind::kState, "the server is a standby, which takes no writes")
        .on(Side::kTarget)
        .hint("clone into its primary")
        .remedy(Remedy::kCheckServers);
  }
}

void refuse_large_objects_that_are_there(pg::Connection& source, pg::Connection& target) {
  const std::vector<std::string> conflicts = copy::find_large_object_conflicts(source, target, 10);
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

namespace {

// The server truncates no table without those that refer to it, be they empty. One with rows of this run stays as it
// is.
void add_empty_referrers(const schema::Catalog& catalog, const ExistingTarget& existing,
                         const std::set<schema::Oid>& loaded, std::set<schema::Oid>& tables) {
  std::map<schema::Oid, schema::Oid> parents;
  for (const schema::Inheritance& link : catalog.inheritance) parents[link.child] = link.parent;
  std::set<schema::Oid> holding = loaded;  // rows of this run, by themselves or below them
  for (const schema::Oid table : loaded) {
    for (auto parent = parents.find(table); parent != parents.end(); parent = parents.find(parent->second)) {
      holding.insert(parent->second);
    }
  }
  for (std::size_t before = tables.size() + 1; before != tables.size();) {
    before = tables.size();
    for (const auto& [child, parent] : existing.foreign_keys) {
      if (tables.contains(parent) && !holding.contains(child)) tables.insert(child);
    }
  }
}

}  // namespace

std::set<schema::Oid> tables_to_empty(const schema::Catalog& catalog, const ExistingTarget& existing,
                                      const std::set<schema::Oid>& loaded) {
  std::set<schema::Oid> roots_loaded;
  for (const schema::Relation* table : tables_to_copy(catalog)) {
    if (loaded.contains(table->oid)) roots_loaded.insert(table->load_via_root);
  }
  std::set<schema::Oid> result;
  for (const schema::Relation* table : tables_to_copy(catalog)) {
    const schema::Oid into = table->load_via_root == 0 ? table->oid : table->load_via_root;
    const bool ours = loaded.contains(into) || (table->load_via_root != 0 && roots_loaded.contains(into));
    if (existing.filled.contains(into) && !ours && !table->extension_condition) result.insert(into);
  }
  add_empty_referrers(catalog, existing, loaded, result);
  return result;
}

void refuse_rows_that_are_there(const PlanInput& input) {
  std::vector<std::string> names;
  for (const schema::Oid table : input.tables_to_empty) {
    if (input.existing->filled.contains(table)) names.push_back(input.catalog.relation(table)->display());
  }
  if (names.empty()) return;
  throw Error(ErrorKind::kState, fmt::format("tables hold rows already: {}", some_of(names)))
      .on(Side::kTarget)
      .remedy(Remedy::kReplaceExisting)
      .remedy(Remedy::kResume);
}

void refuse_keys_in_a_circle(const PlanInput& input, const std::set<schema::Oid>& loaded) {
  std::set<std::pair<schema::Oid, schema::Oid>> left;
  std::set<schema::Oid> in_a_circle;
  for (const auto& [child, parent] : input.existing->foreign_keys) {
    if (loaded.contains(child) || loaded.contains(parent)) continue;
    if (child != parent) {
      left.insert({child, parent});
    } else if (input.catalog.relation(child)->kind == schema::RelationKind::kPartitionedTable) {
      in_a_circle.insert(child);  // one partition's rows may refer to another's
    }
  }
  // A key whose parent has none itself, or whose child is no parent, is in no circle.
  for (std::size_t before = left.size() + 1; left.size() < before;) {
    before = left.size();
    std::set<schema::Oid> children;
    std::set<schema::Oid> parents;
    for (const auto& [child, parent] : left) {
      children.insert(child);
      parents.insert(parent);
    }
    std::erase_if(left,
                  [&](const auto& key) { return !children.contains(key.second) || !parents.contains(key.first); });
  }
  for (const auto& [child, parent] : left) in_a_circle.insert(child);
  if (in_a_circle.empty()) return;
  std::vector<std::string> names;
  for (const schema::Oid table : in_a_circle) names.push_back(input.catalog.relation(table)->display());
  throw Error(
      ErrorKind::kState,
      fmt::format("foreign keys refer to one another in a circle, so that none of these can be filled first: {}",
                  some_of(names)))
      .on(Side::kTarget)
      .hint(
          "drop one of the keys until the rows are there; or restore the definitions in two halves, pre-data before "
          "loading rows and post-data afterwards");
}

bool has_same_configuration(pg::Connection& source, pg::Connection& target, const schema::Relation& table,
                            const std::map<std::string, std::string, std::less<>>& extensions_before) {
  const std::array<std::string, 2> name = {table.schema, table.name};
  const pg::Result extension = target.execute(
      "SELECT e.extname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      "  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid"
      "   AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'"
      "  JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid WHERE n.nspname = $1 AND c.relname = $2",
      name);
  if (extension.empty() || !extensions_before.contains(extension[0].text(0))) return false;
  std::atomic<std::int64_t> bytes{0};
  const auto digest = [&](pg::Connection& of) {
    const std::array<copy::DigestRequest, 1> request = {
        copy::DigestRequest{.connection = of,
                            .copy_out = copy::copy_out_statement(table, copy::CopyFormat::kText, ""),
                            .format = copy::CopyFormat::kText,
                            .bytes = bytes}};
    return copy::digest_rows(request)[0];
  };
  const copy::RowsDigest there = digest(target);
  if (there.rows == 0) return false;
  if (there == digest(source)) return true;
  throw Error(ErrorKind::kState,
              fmt::format("{}, configuration of the extension {}, holds other rows than the source's", table.display(),
                          pg::display_name("", extension[0].text(0))))
      .on(Side::kTarget)
      .hint("delete them there")
      .remedy(Remedy::kOmitExtension);
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

void check_ledger_schema(pg::Connection& target, const PlanInput& input, const ResolvedOptions& options) {
  if (!options.ledger) return;
  const auto is_it = [](const schema::TocEntry& entry) {
    return entry.kind == "SCHEMA" && entry.tag == copy::kLedgerSchema;
  };
  if (std::any_of(input.archive.entries.begin(), input.archive.entries.end(), is_it)) {
    throw Error(ErrorKind::kState, "the source has a schema named pgsluice, which the clone needs on the target")
        .on(Side::kSource)
        .hint("drop it there if an unfinished clone into that database has left it")
        .remedy(Remedy::kOmitLedger);
  }
  // The inventory of a run that goes on is that of its begin.
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
