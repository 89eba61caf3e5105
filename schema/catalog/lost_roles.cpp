#include "schema/catalog/lost_roles.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/counted.h"
#include "pg/quote.h"
#include "schema/archive/statement_scanner.h"

namespace pgsluice::schema {

namespace {

// GRANT … TO "16886", REVOKE … FROM "16886", also of default privileges: returns the dropped role that it names;
// nullopt if there is none.
std::optional<std::string> lost_role_of(const std::string& statement, const std::set<std::string>& lost) {
  const std::vector<std::string> words = StatementScanner::tokens(statement);
  const auto keyword = std::find_if(words.rbegin(), words.rend(),
                                    [](const std::string& word) { return word == "TO" || word == "FROM"; });
  if (keyword == words.rend() || keyword == words.rbegin()) return std::nullopt;
  const std::string role = pg::unquote_identifier(*std::prev(keyword));
  return lost.contains(role) ? std::optional(role) : std::nullopt;
}

}  // namespace

std::set<std::string> read_lost_roles(pg::Connection& source) {
  std::set<std::string> lost;
  for (const pg::Row row : source.execute(R"sql(
    SELECT DISTINCT role::text FROM (
      SELECT relacl AS acl FROM pg_catalog.pg_class WHERE oid >= 16384 OR relnamespace >= 16384
      UNION ALL SELECT attacl FROM pg_catalog.pg_attribute WHERE attacl IS NOT NULL
      UNION ALL SELECT proacl FROM pg_catalog.pg_proc WHERE oid >= 16384
      UNION ALL SELECT typacl FROM pg_catalog.pg_type WHERE oid >= 16384
      UNION ALL SELECT lanacl FROM pg_catalog.pg_language
      UNION ALL SELECT nspacl FROM pg_catalog.pg_namespace
      UNION ALL SELECT fdwacl FROM pg_catalog.pg_foreign_data_wrapper
      UNION ALL SELECT srvacl FROM pg_catalog.pg_foreign_server
      UNION ALL SELECT lomacl FROM pg_catalog.pg_largeobject_metadata WHERE lomacl IS NOT NULL
      UNION ALL SELECT defaclacl FROM pg_catalog.pg_default_acl
    ) o, pg_catalog.aclexplode(o.acl) a, LATERAL (VALUES (a.grantee), (a.grantor)) r(role)
     WHERE role <> 0 AND role NOT IN (SELECT oid FROM pg_catalog.pg_roles)
       AND role::text NOT IN (SELECT rolname FROM pg_catalog.pg_roles))sql")) {
    lost.emplace(row.text(0));
  }
  return lost;
}

std::vector<std::string> leave_out_lost_roles(const std::set<std::string>& lost, Archive& archive) {
  if (lost.empty()) return {};
  std::map<std::string, std::vector<std::string>> objects;
  for (TocEntry& entry : archive.entries) {
    if (entry.pass() != RestorePass::kAcl) continue;
    std::string kept;
    bool is_changed = false;
    StatementScanner scanner(entry.definition);
    while (const std::optional<std::string> statement = scanner.next_statement()) {
      if (const auto role = lost_role_of(*statement, lost)) {
        is_changed = true;
        std::vector<std::string>& of_role = objects[*role];
        if (of_role.empty() || of_role.back() != entry.tag) of_role.push_back(entry.tag);
      } else {
        kept += *statement + ";\n";
      }
    }
    if (is_changed) entry.definition = std::move(kept);
  }
  std::vector<std::string> left_out;
  for (const auto& [role, tags] : objects) {
    left_out.push_back(fmt::format("privileges of a dropped role (OID {}) are skipped: {}", role, some_of(tags)));
  }
  return left_out;
}

}  // namespace pgsluice::schema
