// ExtensionsValidation, CollationsValidation, PermissionsValidation, SpaceValidation.
#include <fmt/format.h>

#include <array>
#include <map>
#include <set>
#include <string>

#include "base/counted.h"
#include "copy/large_objects.h"
#include "migration/validations/target_findings.h"
#include "pg/quote.h"
#include "pg/version.h"
#include "pgsluice/bytes.h"
#include "schema/catalog/catalog.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::migration {

namespace {

std::string name_of(const pg::Row& row) { return pg::display_name(row.text(0), row.text(1)); }

void find_collations_that_are_missing(const ValidationContext& context, Validation& validation) {
  // Collations of the server that columns, domains or indexes use.
  constexpr const char* kUsed =
      "SELECT DISTINCT c.collname, used.catalog, used.oid FROM pg_catalog.pg_collation c"
      "  JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace"
      "  JOIN (SELECT attcollation, 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AS catalog,"
      "     attrelid AS oid FROM pg_catalog.pg_attribute WHERE attrelid >= 16384"
      "   UNION ALL SELECT typcollation, tableoid, oid FROM pg_catalog.pg_type WHERE oid >= 16384) used"
      "   ON used.attcollation = c.oid"
      " WHERE n.nspname = 'pg_catalog' AND c.collname NOT IN ('default', 'C', 'POSIX', 'ucs_basic') ORDER BY 1";
  std::set<std::string> looked_at;
  for (const pg::Row row : context.source.execute(kUsed)) {
    const std::array<std::string, 1> name = {std::string(row.text(0))};
    if (context.is_omitted(row) || !looked_at.insert(name[0]).second) continue;
    if (!context.target
             .execute("SELECT FROM pg_catalog.pg_collation WHERE collname = $1 AND collnamespace ="
                      " (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')",
                      name)
             .empty()) {
      continue;
    }
    fail(validation, fmt::format("collation {}: not on the target; install its locale there, then SELECT "
                                 "pg_import_system_collations('pg_catalog')",
                                 pg::display_name("", name[0])));
  }
}

void compare_collation_versions(const ValidationContext& context, Validation& validation) {
  if (context.source.server_version() < pg::kV10 || context.target.server_version() < pg::kV10) return;
  constexpr const char* kVersions =
      "SELECT c.collname, c.collprovider, pg_catalog.pg_collation_actual_version(c.oid) FROM pg_catalog.pg_collation c"
      " JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE n.nspname = 'pg_catalog'"
      "  AND pg_catalog.pg_collation_actual_version(c.oid) IS NOT NULL";
  std::map<std::pair<std::string, std::string>, std::string> here;
  for (const pg::Row row : context.source.execute(kVersions)) {
    here[{std::string(row.text(0)), std::string(row.text(1))}] = row.text(2);
  }
  // One finding for each provider: all its collations are of one library.
  std::map<std::string, std::string> differing;
  for (const pg::Row row : context.target.execute(kVersions)) {
    const auto found = here.find({std::string(row.text(0)), std::string(row.text(1))});
    if (found == here.end() || found->second == row.text(2)) continue;
    differing.try_emplace(found->first.second, fmt::format("{} is of version {} on the source, {} on the target",
                                                           found->first.first, found->second, row.text(2)));
  }
  for (const auto& [provider, text] : differing) {
    warn(validation,
         fmt::format("collations of {}: {}; texts may sort otherwise there. Indexes are built anew, so they "
                     "are right; range partitions by text, and CHECKs that compare texts, are worth a look",
                     provider == "i" ? "ICU" : "the C library", text));
  }
}

void find_users_collations(const ValidationContext& context, Validation& validation) {
  if (!is_managed(context.target)) return;
  for (const pg::Row row :
       context.source.execute("SELECT n.nspname, c.collname, c.tableoid, c.oid FROM pg_catalog.pg_collation c"
                              "  JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE c.oid >= 16384"
                              "   AND n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema'")) {
    if (context.is_omitted(row)) continue;
    fail(validation,
         fmt::format("collation {}: of your own, which the target's service does not take; use one of its own",
                     name_of(row)));
  }
}

void validate_database_locale(const ValidationContext& context, Validation& validation) {
  if (context.is_there) return;
  const pg::Result database = context.source.execute(
      "SELECT datcollate, datctype FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()");
  find_missing_locale(context, "LC_COLLATE", std::string(database[0].text(0)), validation);
  find_missing_locale(context, "LC_CTYPE", std::string(database[0].text(1)), validation);
}

void validate_reading(const ValidationContext& context, Validation& validation) {
  pg::Connection& source = context.source;
  const std::string user = pg::quote_identifier(source.user());
  std::set<std::string, std::less<>> closed;
  for (const pg::Row row :
       source.execute("SELECT n.nspname, c.relname, CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'm' THEN"
                      "  'materialized view' ELSE 'table' END, pg_catalog.has_schema_privilege(n.oid, 'USAGE'),"
                      "  pg_catalog.has_table_privilege(c.oid, 'SELECT'), c.tableoid, c.oid FROM pg_catalog.pg_class c"
                      "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                      " WHERE c.relkind IN ('r', 'p', 'm', 'S') AND c.oid >= 16384 AND c.relpersistence <> 't'"
                      // Only tables that an extension has declared to be the user's.
                      "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e"
                      "     ON e.oid = d.refobjid WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
                      "     AND d.objid = c.oid AND d.deptype = 'e' AND c.oid <> ALL (coalesce(e.extconfig, '{}')))"
                      "   AND NOT (pg_catalog.has_table_privilege(c.oid, 'SELECT')"
                      "            AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')) ORDER BY 1, 2")) {
    if (context.is_omitted(row)) continue;
    if (!row.boolean(3) && closed.emplace(row.text(0)).second) {
      fail(validation, fmt::format("schema {}: what is in it may not be read by {}; GRANT USAGE ON SCHEMA {} TO {}",
                                   pg::display_name("", row.text(0)), pg::display_name("", source.user()),
                                   pg::quote_identifier(row.text(0)), user));
    }
    if (row.boolean(4)) continue;
    fail(validation,
         fmt::format("{} {}: may not be read by {}; GRANT SELECT ON {} TO {}", row.text(2), name_of(row),
                     pg::display_name("", source.user()), pg::quote_qualified(row.text(0), row.text(1)), user));
  }
  if (source.server_version() < pg::kV9_5) return;
  for (const pg::Row row :
       source.execute("SELECT n.nspname, c.relname, c.tableoid, c.oid FROM pg_catalog.pg_class c"
                      "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                      "  JOIN pg_catalog.pg_roles r ON r.rolname = current_user"
                      " WHERE c.relrowsecurity AND c.relkind IN ('r', 'p') AND NOT r.rolsuper AND NOT r.rolbypassrls"
                      "   AND (c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(c.relowner, 'USAGE'))")) {
    if (context.is_omitted(row) || context.selection.without_rows.contains(row.oid(3))) continue;
    fail(validation,
         fmt::format("table {}: row-level security hides rows from {}; ALTER ROLE {} BYPASSRLS, or migrate as "
                     "its owner",
                     name_of(row), pg::display_name("", source.user()), user));
  }
}

void validate_large_objects(pg::Connection& source, Validation& validation) {
  const copy::UnreadableLargeObjects unreadable = copy::find_unreadable_large_objects(source);
  if (unreadable.count == 0) return;
  fail(validation,
       fmt::format("{} (one is {}): may not be read by {}; GRANT SELECT ON LARGE OBJECT … TO it, or migrate "
                   "as their owner or a superuser",
                   counted(unreadable.count, "large object"), unreadable.one, pg::display_name("", source.user())));
}

}  // namespace

Validation validate_extensions(const ValidationContext& context) {
  Validation validation;
  if (!context.request.engine.extensions) {
    note(validation, "extensions are left out (skipExtensions): those that are needed have to be on the target");
    return validation;
  }
  const std::map<std::string, std::string, std::less<>> on_target =
      context.is_there ? schema::read_extensions(context.target) : decltype(on_target){};
  for (const pg::Row row : context.source.execute(
           "SELECT e.extname, e.extversion, n.nspname, e.tableoid, e.oid FROM pg_catalog.pg_extension e"
           "  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1")) {
    const std::array<std::string, 1> name = {std::string(row.text(0))};
    if (context.is_omitted(row)) continue;
    const std::string shown = pg::display_name("", name[0]);
    const std::optional<std::string> version = find_extension_trouble(
        context, name[0], fmt::format("extension {} (version {}, in schema {})", shown, row.text(1), row.text(2)),
        validation);
    if (!version) continue;
    if (const auto made = on_target.find(name[0]); made != on_target.end() && made->second != row.text(2)) {
      fail(validation, fmt::format("extension {}: in schema {} on the source, in {} on the target; ALTER EXTENSION {} "
                                   "SET SCHEMA {} there, or drop it there",
                                   shown, pg::display_name("", row.text(2)), pg::display_name("", made->second),
                                   pg::quote_identifier(name[0]), pg::quote_identifier(row.text(2))));
    }
    if (*version == row.text(1)) continue;
    warn(validation, fmt::format("extension {}: version {} on the source, {} will be made on the target", shown,
                                 row.text(1), *version));
  }
  return validation;
}

Validation validate_collations(const ValidationContext& context) {
  Validation validation;
  validate_database_locale(context, validation);
  find_collations_that_are_missing(context, validation);
  compare_collation_versions(context, validation);
  find_users_collations(context, validation);
  return validation;
}

Validation validate_permissions(const ValidationContext& context) {
  Validation validation;
  validate_reading(context, validation);
  if (context.request.engine.large_objects) validate_large_objects(context.source, validation);
  if (context.is_there) {
    const pg::Row rights = context.target.execute(
        "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),"
        " coalesce((SELECT pg_catalog.has_schema_privilege(oid, 'CREATE') FROM pg_catalog.pg_namespace"
        "            WHERE nspname = 'public'), true)")[0];
    if (!rights.boolean(0)) {
      fail(validation,
           fmt::format("{} may not make schemas in the target's database: GRANT CREATE ON DATABASE {} TO {}",
                       pg::display_name("", context.target.user()), pg::quote_identifier(context.target.database()),
                       pg::quote_identifier(context.target.user())));
    }
    if (!rights.boolean(1)) {
      fail(validation,
           fmt::format("{} may not create in the target's schema public: GRANT CREATE ON SCHEMA public TO {}",
                       pg::display_name("", context.target.user()), pg::quote_identifier(context.target.user())));
    }
  }
  return validation;
}

Validation validate_space(const ValidationContext& context) {
  Validation validation;
  // All that are migrated, since they end up on one disk; what is made over makes room before.
  Bytes size;
  for (const std::string& database : context.request.databases) {
    const std::array<std::string, 1> name = {database};
    constexpr const char* kSize =
        "SELECT coalesce((SELECT pg_catalog.pg_database_size(oid) FROM pg_catalog.pg_database WHERE datname = $1"
        "  AND pg_catalog.has_database_privilege(oid, 'CONNECT')), 0)";
    size.count += context.source.execute(kSize, name)[0].integer(0);
  }
  find_missing_space(context, size, validation);
  return validation;
}

}  // namespace pgsluice::migration
