#include "pgsluice/schema/acl.h"

#include <fmt/format.h>

#include <optional>

#include "pgsluice/pg/quote.h"
#include "pgsluice/schema/statement_scanner.h"

namespace pgsluice::schema {

namespace {

using pg::quote_identifier;

// "SET SESSION AUTHORIZATION x": the identifier, as it stands there; nothing for another statement.
std::optional<std::string> grantor_in(std::string_view statement) {
  const std::vector<std::string> words = StatementScanner::tokens(statement);
  if (words.size() != 4 || words[0] != "SET" || words[1] != "SESSION" || words[2] != "AUTHORIZATION")
    return std::nullopt;
  return words[3];
}

}  // namespace

std::vector<Grant> read_grants(pg::Connection& source, const AclPlace& place) {
  std::vector<Grant> grants;
  const std::string sql = fmt::format(
      "SELECT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) ELSE '' END, a.privilege_type,"
      " a.is_grantable, CASE WHEN a.grantor <> o.{1} THEN pg_catalog.pg_get_userbyid(a.grantor) ELSE '' END"
      " FROM pg_catalog.{2} o, pg_catalog.aclexplode(o.{0}) a WHERE {3}",
      place.acl, place.owner, place.catalog, place.condition);
  for (const pg::Row row : source.execute(sql)) {
    grants.push_back({.grantee = std::string(row.text(0)),
                      .privilege = std::string(row.text(1)),
                      .with_grant_option = row.boolean(2),
                      .grantor = std::string(row.text(3))});
  }
  return grants;
}

RoleNames read_grantors(pg::Connection& source) {
  RoleNames grantors;
  for (const pg::Row row : source.execute(R"sql(
    SELECT DISTINCT pg_catalog.pg_get_userbyid(a.grantor) FROM (
      SELECT relowner AS owner, relacl AS acl FROM pg_catalog.pg_class WHERE oid >= 16384
      UNION ALL SELECT c.relowner, t.attacl FROM pg_catalog.pg_attribute t JOIN pg_catalog.pg_class c
        ON c.oid = t.attrelid WHERE c.oid >= 16384 AND t.attacl IS NOT NULL
      UNION ALL SELECT proowner, proacl FROM pg_catalog.pg_proc WHERE oid >= 16384
      UNION ALL SELECT typowner, typacl FROM pg_catalog.pg_type WHERE oid >= 16384
      UNION ALL SELECT lanowner, lanacl FROM pg_catalog.pg_language WHERE oid >= 16384
      UNION ALL SELECT nspowner, nspacl FROM pg_catalog.pg_namespace
      UNION ALL SELECT fdwowner, fdwacl FROM pg_catalog.pg_foreign_data_wrapper
      UNION ALL SELECT srvowner, srvacl FROM pg_catalog.pg_foreign_server
      UNION ALL SELECT lomowner, lomacl FROM pg_catalog.pg_largeobject_metadata
      UNION ALL SELECT datdba, datacl FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
    ) o, pg_catalog.aclexplode(o.acl) a WHERE a.grantor <> o.owner)sql")) {
    grantors.emplace(row.text(0));
  }
  return grantors;
}

std::string acl_sql(std::string_view object, std::string_view owner, const std::vector<Grant>& grants,
                    const RoleNames& out_of_reach) {
  std::string sql = fmt::format("REVOKE ALL ON {} FROM PUBLIC, {};", object, quote_identifier(owner));
  for (const Grant& grant : grants) {
    const bool by_owner = grant.grantor.empty() || out_of_reach.contains(grant.grantor);
    if (!by_owner) sql += fmt::format("SET LOCAL ROLE {};", quote_identifier(grant.grantor));
    sql += fmt::format("GRANT {} ON {} TO {}{};", grant.privilege, object,
                       grant.grantee.empty() ? "PUBLIC" : quote_identifier(grant.grantee),
                       grant.with_grant_option ? " WITH GRANT OPTION" : "");
    if (!by_owner) sql += "RESET ROLE;";
  }
  return sql;
}

RoleNames grantors_out_of_reach(const std::vector<Grant>& grants, const RoleNames& out_of_reach) {
  RoleNames result;
  for (const Grant& grant : grants) {
    if (out_of_reach.contains(grant.grantor)) result.insert(grant.grantor);
  }
  return result;
}

std::string acl_definition(std::string_view definition, const RoleNames& out_of_reach) {
  if (grantors_of(definition).empty()) return std::string(definition);
  std::string result;
  bool as_another = false;
  StatementScanner scanner(definition);
  while (const std::optional<std::string> statement = scanner.next_statement()) {
    if (const std::optional<std::string> grantor = grantor_in(*statement)) {
      as_another = !out_of_reach.contains(pg::unquote_identifier(*grantor));
      if (as_another) result += fmt::format("SET LOCAL ROLE {};\n", *grantor);
    } else if (*statement == "RESET SESSION AUTHORIZATION") {
      if (as_another) result += "RESET ROLE;\n";
    } else {
      result += *statement + ";\n";
    }
  }
  return result;
}

RoleNames grantors_of(std::string_view definition) {
  RoleNames grantors;
  StatementScanner scanner(definition);
  while (const std::optional<std::string> statement = scanner.next_statement()) {
    if (const std::optional<std::string> grantor = grantor_in(*statement)) {
      grantors.insert(pg::unquote_identifier(*grantor));
    }
  }
  return grantors;
}

}  // namespace pgsluice::schema
