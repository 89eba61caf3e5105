#include "schema/catalog/role_comparison.h"

#include <fmt/format.h>

#include "pg/quote.h"
#include "pg/version.h"

namespace pgsluice::schema {

namespace {

using Facts = std::map<std::string, std::string>;

// Roles of initdb are the server's own, but one server's own may be another one's ordinary role ("postgres").
std::string lowest_oid(Roles which) { return which == Roles::kOrdinary ? "16384" : "0"; }

// By what they are about. Who has granted a membership is another matter: a copy's user may have.
Facts facts_of(pg::Connection& server, Roles which, bool with_options) {
  Facts facts;
  for (const auto& [role, attributes] : read_role_attributes(server, which)) {
    facts["role " + pg::display_name("", role)] = attributes;
  }
  const std::string options =
      with_options ? " || CASE WHEN pg_catalog.bool_or(a.inherit_option) THEN ' INHERIT' ELSE ' NOINHERIT' END"
                     " || CASE WHEN pg_catalog.bool_or(a.set_option) THEN ' SET' ELSE ' NOSET' END"
                   : "";
  const std::string memberships = fmt::format(
      "SELECT g.rolname, m.rolname, CASE WHEN pg_catalog.bool_or(a.admin_option) THEN 'ADMIN' ELSE 'NOADMIN' END{}"
      "  FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.roleid"
      "  JOIN pg_catalog.pg_roles m ON m.oid = a.member WHERE m.oid >= {} GROUP BY 1, 2",
      options, lowest_oid(which));
  for (const pg::Row row : server.execute(memberships)) {
    facts[fmt::format("membership of {} in {}", pg::display_name("", row.text(1)), pg::display_name("", row.text(0)))] =
        row.text(2);
  }
  for (const pg::Row row :
       server.execute("SELECT r.rolname, pg_catalog.split_part(c, '=', 1), c FROM pg_catalog.pg_db_role_setting s"
                      "  JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, pg_catalog.unnest(s.setconfig) c"
                      " WHERE s.setdatabase = 0 AND r.oid >= " +
                      lowest_oid(which))) {
    facts[fmt::format("setting {} of role {}", row.text(1), pg::display_name("", row.text(0)))] = row.text(2);
  }
  for (const pg::Row row :
       server.execute("SELECT r.rolname, pg_catalog.shobj_description(r.oid, 'pg_authid') FROM pg_catalog.pg_roles r"
                      " WHERE pg_catalog.shobj_description(r.oid, 'pg_authid') IS NOT NULL AND r.oid >= " +
                      lowest_oid(which))) {
    facts["comment of role " + pg::display_name("", row.text(0))] = row.text(1);
  }
  if (server.server_version() < pg::since::kParameterPrivileges) return facts;
  for (const pg::Row row :
       server.execute("SELECT r.rolname, p.parname, pg_catalog.string_agg(a.privilege_type || CASE WHEN a.is_grantable"
                      " THEN ' WITH GRANT OPTION' ELSE '' END, ', ' ORDER BY a.privilege_type)"
                      "  FROM pg_catalog.pg_parameter_acl p, pg_catalog.aclexplode(p.paracl) a"
                      "  JOIN pg_catalog.pg_roles r ON r.oid = a.grantee WHERE r.oid >= " +
                      lowest_oid(which) + " GROUP BY 1, 2")) {
    facts[fmt::format("privileges on parameter {} of role {}", row.text(1), pg::display_name("", row.text(0)))] =
        row.text(2);
  }
  return facts;
}

}  // namespace

std::map<std::string, std::string> read_role_attributes(pg::Connection& server, Roles which) {
  std::map<std::string, std::string> roles;
  for (const pg::Row row : server.execute(
           "SELECT rolname, concat_ws(' ', CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,"
           " CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END, CASE WHEN rolinherit THEN 'INHERIT' ELSE"
           " 'NOINHERIT' END, CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END, CASE WHEN rolcreaterole THEN"
           " 'CREATEROLE' ELSE 'NOCREATEROLE' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,"
           " CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,"
           " CASE WHEN rolconnlimit >= 0 THEN 'CONNECTION LIMIT ' || rolconnlimit END,"
           " CASE WHEN pg_catalog.isfinite(rolvaliduntil) THEN 'VALID UNTIL '"
           " || pg_catalog.to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || ' UTC' END)"
           " FROM pg_catalog.pg_roles WHERE oid >= " +
           lowest_oid(which))) {
    roles[std::string(row.text(0))] = row.text(1);
  }
  return roles;
}

std::vector<BeyondDifference> compare_roles(pg::Connection& source, pg::Connection& target) {
  const bool with_options = source.server_version() >= pg::since::kMembershipOptions &&
                            target.server_version() >= pg::since::kMembershipOptions;
  const Facts there = facts_of(target, Roles::kAll, with_options);
  std::vector<BeyondDifference> differences;
  for (const auto& [object, text] : facts_of(source, Roles::kOrdinary, with_options)) {
    const auto found = there.find(object);
    const std::string other = found == there.end() ? "" : found->second + "\n";
    if (other != text + "\n") differences.push_back({object, text + "\n", other});
  }
  return differences;
}

}  // namespace pgsluice::schema
