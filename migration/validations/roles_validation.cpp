// RolesValidation: what the target's user may, and which roles the databases need.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "migration/remedies.h"
#include "migration/validations/target_findings.h"
#include "migration/verification.h"
#include "pg/quote.h"
#include "pipeline/prepare/sessions.h"
#include "schema/archive/acl.h"
#include "schema/catalog/inventory.h"
#include "schema/catalog/role_comparison.h"

namespace pgsluice::migration {

namespace {

void validate_user(const TargetContext& context, Validation& validation) {
  pg::Connection& target = context.target;
  const pg::Result user = target.execute(
      "SELECT rolsuper, rolcreatedb, rolcreaterole, rolname FROM pg_catalog.pg_roles WHERE rolname = current_user");
  const std::string name = pg::display_name("", user[0].text(3));
  const std::string quoted = pg::quote_identifier(user[0].text(3));
  if (user[0].boolean(0)) {
    note(validation, fmt::format("the target's user {} is a superuser", name));
    return;
  }
  if (!user[0].boolean(1) && context.request.makes_databases()) {
    fail(validation, fmt::format("the target's user {} may not make databases: ALTER ROLE {} CREATEDB", name, quoted));
  }
  // A clone into a database that is there needs no more.
  if (!context.request.makes_databases() && !context.request.roles) return;
  if (!user[0].boolean(2)) {
    const std::string text =
        fmt::format("the target's user {} may not make roles: ALTER ROLE {} CREATEROLE", name, quoted);
    context.request.roles ? fail(validation, text) : warn(validation, text);
  }
  for (const pg::Row row : target.execute(
           "SELECT rolname, pg_catalog.pg_has_role(current_user, oid, 'MEMBER') FROM pg_catalog.pg_roles WHERE rolname "
           "IN"
           " ('pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables', 'azure_pg_admin') ORDER BY 1")) {
    if (row.boolean(1)) continue;
    warn(validation, fmt::format("the target's user {} is not a member of {}: GRANT {} TO {}", name, row.text(0),
                                 row.text(0), quoted));
  }
}

void validate_right_to_drop(const TargetContext& context, Validation& validation) {
  if (context.request.overwrite == Overwrite::kNo) return;
  for (const pg::Row row :
       context.target.execute("SELECT d.datname, pg_catalog.pg_get_userbyid(d.datdba) FROM pg_catalog.pg_database d"
                              " WHERE NOT pg_catalog.pg_has_role(d.datdba, 'USAGE')")) {
    const std::string name(row.text(0));
    const auto& databases = context.request.databases;
    if (std::find(databases.begin(), databases.end(), name) == databases.end()) continue;
    fail(
        validation,
        fmt::format("database {}: is on the target, and {} may not drop it: ALTER DATABASE {} OWNER TO {}, or GRANT {} "
                    "TO {}",
                    pg::display_name("", name), pg::display_name("", context.target.user()), pg::quote_identifier(name),
                    pg::quote_identifier(context.target.user()), pg::quote_identifier(row.text(1)),
                    pg::quote_identifier(context.target.user())));
  }
}

// SQL that is true for an object that is copied. The omitted ones are parameters: an array of their catalogs and one of
// their oids.
std::string is_copied(const std::string& catalog, const std::string& oid) {
  return fmt::format(
      "NOT EXISTS (SELECT FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]),"
      " pg_catalog.unnest($2::pg_catalog.oid[])) AS omitted (catalog, oid)"
      " WHERE omitted.catalog = {} AND omitted.oid = {})",
      catalog, oid);
}

std::array<std::string, 2> omitted_objects(const ValidationContext& context, pg::Connection& session) {
  std::vector<schema::Oid> catalogs;
  std::vector<schema::Oid> oids;
  for (const schema::CatalogId& id : read_selection(context.request, session, context.target).left_out) {
    catalogs.push_back(id.table);
    oids.push_back(id.oid);
  }
  return {fmt::format("{{{}}}", fmt::join(catalogs, ",")), fmt::format("{{{}}}", fmt::join(oids, ","))};
}

// Objects of the role that initdb made are recorded nowhere.
std::string sql_of_pinned_owner() {
  return "SELECT r.rolname, r.rolsuper, true, r.rolcanlogin, o.example FROM pg_catalog.pg_roles r, LATERAL ("
         "SELECT pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, c.oid, 0) AS example"
         " FROM pg_catalog.pg_class c WHERE c.relowner = r.oid AND c.oid >= 16384 AND c.relpersistence <> "
         "'t' AND " +
         is_copied("c.tableoid", "c.oid") +
         "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'"
         "   AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)"
         // Nor do the constructors of a range type count, which always belong to that role.
         " UNION ALL SELECT pg_catalog.pg_describe_object('pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 0)"
         " FROM pg_catalog.pg_proc p WHERE p.proowner = r.oid AND p.oid >= 16384 AND " +
         is_copied("p.tableoid", "p.oid") +
         " AND NOT EXISTS"
         "  (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = p.oid AND d.deptype IN ('e', 'i')"
         "   AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)"
         // The schemas of temporary tables, which stay when those are gone, are its own.
         " UNION ALL SELECT pg_catalog.pg_describe_object('pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid, 0)"
         " FROM pg_catalog.pg_namespace n WHERE n.nspowner = r.oid AND n.oid >= 16384 AND " +
         is_copied("n.tableoid", "n.oid") +
         "  AND n.nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = n.oid AND "
         "d.deptype = 'e'"
         "   AND d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass) LIMIT 1) o WHERE r.oid = 10";
}

// Owners, grantees, and those that policies name. `kinds`: of dependencies, for IN.
std::string sql_of_recorded_roles(const std::string& kinds) {
  return "SELECT r.rolname, r.rolsuper, pg_catalog.bool_or(d.deptype = 'o'), r.rolcanlogin,"
         " (pg_catalog.array_agg(CASE WHEN d.deptype = 'o' AND d.objsubid = 0 THEN"
         "   pg_catalog.pg_describe_object(d.classid, d.objid, 0) END ORDER BY d.deptype <> 'o', d.objid))[1]"
         "  FROM pg_catalog.pg_shdepend d"
         "  JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid"
         " WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND " +
         is_copied("d.classid", "d.objid") + " AND d.deptype IN (" + kinds +
         ") AND (d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
         "    OR (d.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND d.objid ="
         "        (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())))"
         " GROUP BY 1, 2, 4";
}

// Reads the roles of all databases.
std::map<std::string, NeededRole> needed_roles(const ValidationContext& context) {
  std::string kinds = "'r'";
  if (context.request.engine.restore.owners) kinds += ", 'o'";
  if (context.request.engine.restore.acls) kinds += ", 'a'";
  std::string sql = sql_of_recorded_roles(kinds);
  if (context.request.engine.restore.owners) sql += " UNION " + sql_of_pinned_owner();
  std::map<std::string, NeededRole> needed;
  for (const std::string& database : context.request.databases) {
    try {
      pg::Connection session = pipeline::open_reader(context.source.conninfo().with("dbname", database), "validate",
                                                     "UTF8", context.log, context.cancel);
      for (const pg::Row row : session.execute(sql, omitted_objects(context, session))) {
        NeededRole& role = needed[std::string(row.text(0))];
        role.databases.insert(pg::display_name("", database));
        role.superuser = row.boolean(1);
        role.owns = role.owns || row.boolean(2);
        role.logs_in = row.boolean(3);
        if (role.example.empty()) role.example = row.optional_text(4).value_or("");
      }
      if (!context.request.engine.restore.acls) continue;
      for (const std::string& grantor : schema::read_grantors(session)) {
        NeededRole& role = needed[grantor];
        role.databases.insert(pg::display_name("", database));
        role.grants = true;
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kCancelled) throw;
      // The database's own validation says it.
    }
  }
  return needed;
}

// Roles that are there stay as they are.
void compare_roles(const ValidationContext& context, Validation& validation) {
  if (!context.request.roles) return;
  const std::map<std::string, std::string> target = schema::read_role_attributes(context.target, schema::Roles::kAll);
  for (const auto& [name, here] : schema::read_role_attributes(context.source, schema::Roles::kOrdinary)) {
    const auto there = target.find(name);
    if (there == target.end() || there->second == here || name == context.target.user()) continue;
    warn(validation, fmt::format("role {}: is on the target already and stays as it is there: {}; on the source: {}",
                                 pg::display_name("", name), there->second, here));
  }
}

// In the words of a properties file, or of the program that clones into an existing database.
std::string with_remedy(const TargetContext& context, const std::string& finding, Remedy remedy) {
  const Error error = Error(ErrorKind::kConfig, finding).remedy(remedy);
  return context.request.is_clone ? context.log.describe(error) : describe(error);
}

std::string out_of_reach(const TargetContext& context, const std::string& what, const std::string& name,
                         const NeededRole& role) {
  const std::string user = context.target.user();
  const std::string finding =
      fmt::format("{}: {}, and {} is no member of it on the target, so that {}; GRANT {} TO {}", what,
                  !role.owns             ? "has granted privileges on what others own"
                  : role.example.empty() ? "owns objects there"
                                         : fmt::format("owns objects there ({}, say)", role.example),
                  pg::display_name("", user), role.owns ? "they would be its own" : "they would be the owners' grants",
                  pg::quote_identifier(name), pg::quote_identifier(user));
  return with_remedy(context, finding, role.owns ? Remedy::kOmitOwners : Remedy::kOmitPrivileges);
}

}  // namespace

void find_missing_rights(const TargetContext& context, Validation& validation) {
  validate_user(context, validation);
  validate_right_to_drop(context, validation);
}

void find_missing_roles(const TargetContext& context, const std::map<std::string, NeededRole>& needed,
                        Validation& validation) {
  std::map<std::string, bool> there;
  for (const pg::Row row : context.target.execute("SELECT rolname, rolsuper FROM pg_catalog.pg_roles")) {
    there[std::string(row.text(0))] = row.boolean(1);
  }
  const bool superusers_allowed = !is_managed(context.target) && is_superuser(context.target);
  for (const auto& [name, role] : needed) {
    const std::string what =
        fmt::format("role {} (needed by {})", pg::display_name("", name), fmt::join(role.databases, ", "));
    const bool is_missing = !there.contains(name);
    if (is_missing && !context.request.roles) {
      const std::string finding = fmt::format("{}: missing on the target; CREATE ROLE {}{}", what,
                                              pg::quote_identifier(name), role.logs_in ? " LOGIN" : "");
      fail(validation, with_remedy(context, finding, Remedy::kCopyRoles));
    }
    if ((role.owns || role.grants) && !is_missing && !schema::may_act_for(context.target, name)) {
      const std::string text = out_of_reach(context, what, name, role);
      // A clone lists objects whose owner could not be set; a migration compares owners, and fails.
      const bool differs = !context.request.is_clone &&
                           (role.owns || (context.request.verify && compares_definitions(context.request.engine)));
      differs ? fail(validation, text) : warn(validation, text);
    }
    const bool loses_rights = role.superuser && !superusers_allowed && (is_missing || !there.at(name));
    if (loses_rights) {
      warn(validation,
           fmt::format("{}: a superuser of the source, which no user of the target can be; give what it owns "
                       "to another role before, or look at its rights afterwards",
                       what));
    }
  }
}

Validation validate_roles(const ValidationContext& context) {
  Validation validation;
  find_missing_rights(context, validation);
  find_missing_roles(context, needed_roles(context), validation);
  compare_roles(context, validation);
  return validation;
}

}  // namespace pgsluice::migration
