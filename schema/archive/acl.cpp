#include "schema/archive/acl.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "pg/quote.h"
#include "schema/archive/statement_scanner.h"

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

// True if the owner's part is done by SET ROLE to the owner.
bool acts_as_owner(std::string_view owner, const RestoreOptions& options) {
  return options.owners && !owner.empty() && !options.out_of_reach.empty() && !options.out_of_reach.contains(owner);
}

// Statements in the names of roles, as identifiers; empty: the session's user.
class Script {
 public:
  void add(const std::string& role, std::string_view statement) {
    if (role != role_) text_ += role.empty() ? "RESET ROLE;\n" : fmt::format("SET LOCAL ROLE {};\n", role);
    role_ = role;
    text_ += fmt::format("{};\n", statement);
  }
  std::string finish() {
    if (!role_.empty()) text_ += "RESET ROLE;\n";
    return std::move(text_);
  }

 private:
  std::string text_;
  std::string role_;
};

struct GrantedBy {
  std::string grantor;  ///< an identifier; empty: the owner
  std::string statement;
};

// Returns an entry's statements, without those that change the role.
std::vector<GrantedBy> statements_of(const TocEntry& entry) {
  std::vector<GrantedBy> statements;
  std::string grantor;
  StatementScanner scanner(entry.definition);
  while (const std::optional<std::string> statement = scanner.next_statement()) {
    if (const std::optional<std::string> role = grantor_in(*statement)) {
      grantor = *role;
    } else if (*statement == "RESET SESSION AUTHORIZATION") {
      grantor.clear();
    } else {
      statements.push_back({grantor, *statement});
    }
  }
  return statements;
}

// Default privileges are of a role, not of an object's owner.
bool is_of_an_object(const TocEntry& entry) { return entry.kind == EntryKind::kAcl; }

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
    ) o, pg_catalog.aclexplode(o.acl) a WHERE a.grantor <> o.owner)sql")) {
    grantors.emplace(row.text(0));
  }
  return grantors;
}

std::string acl_sql(std::string_view object, std::string_view owner, const std::vector<Grant>& grants,
                    const RestoreOptions& options) {
  const std::string as_owner = acts_as_owner(owner, options) ? quote_identifier(owner) : "";
  Script script;
  script.add(as_owner, fmt::format("REVOKE ALL ON {} FROM PUBLIC, {}", object, quote_identifier(owner)));
  for (const Grant& grant : grants) {
    const bool by_owner = grant.grantor.empty() || options.out_of_reach.contains(grant.grantor);
    script.add(by_owner ? as_owner : quote_identifier(grant.grantor),
               fmt::format("GRANT {} ON {} TO {}{}", grant.privilege, object,
                           grant.grantee.empty() ? "PUBLIC" : quote_identifier(grant.grantee),
                           grant.with_grant_option ? " WITH GRANT OPTION" : ""));
  }
  return script.finish();
}

RoleNames grantors_out_of_reach(const std::vector<Grant>& grants, const RestoreOptions& options) {
  RoleNames result;
  for (const Grant& grant : grants) {
    if (options.out_of_reach.contains(grant.grantor)) result.insert(grant.grantor);
  }
  return result;
}

std::string acl_definition(const TocEntry& entry, const RestoreOptions& options, OwnersPart owners_part) {
  if (!is_of_an_object(entry)) return entry.definition;
  const bool by_owner = owners_part == OwnersPart::kByOwner && acts_as_owner(entry.owner, options);
  const std::string as_owner = by_owner ? quote_identifier(entry.owner) : "";
  Script script;
  for (const GrantedBy& by : statements_of(entry)) {
    const bool is_owners = by.grantor.empty() || options.out_of_reach.contains(pg::unquote_identifier(by.grantor));
    script.add(is_owners ? as_owner : by.grantor, by.statement);
  }
  return script.finish();
}

std::string acl_as_current_user(const TocEntry& entry) {
  if (!is_of_an_object(entry)) return entry.definition;
  Script script;
  for (const GrantedBy& by : statements_of(entry)) script.add("", by.statement);
  return script.finish();
}

RoleNames grantors_of(const TocEntry& entry) {
  RoleNames grantors;
  if (!is_of_an_object(entry)) return grantors;
  for (const GrantedBy& by : statements_of(entry)) {
    if (!by.grantor.empty()) grantors.insert(pg::unquote_identifier(by.grantor));
  }
  return grantors;
}

}  // namespace pgsluice::schema
