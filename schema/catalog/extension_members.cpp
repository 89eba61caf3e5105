#include "schema/catalog/extension_members.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "pg/quote.h"
#include "schema/catalog/extension_tables.h"

namespace pgsluice::schema {

namespace {

constexpr std::string_view kOfExtension = " of the extension ";

// "SET search_path TO 'a', 'b'", of "search_path=a, b" as it is stored.
std::string setting_sql(std::string_view stored) {
  const std::size_t equals = std::min(stored.find('='), stored.size());
  const std::string_view name = stored.substr(0, equals);
  const std::string_view value = stored.substr(std::min(equals + 1, stored.size()));
  return fmt::format("SET {} TO {}", name, name == "search_path" ? pg::quote_list(value) : pg::quote_literal(value));
}

}  // namespace

std::vector<ExtensionMember> read_extension_members(pg::Connection& server) {
  std::vector<ExtensionMember> members;
  for (const pg::Row row : server.execute(
           // From 17 on the server says json where it said pg_catalog.json.
           "SELECT i.type, pg_catalog.regexp_replace(i.identity, '[[:<:]]pg_catalog[.]json[[:>:]]', 'json', 'g'),"
           " e.extname || ' ' || e.extversion,"
           "       CASE WHEN i.type IN ('function', 'procedure') THEN pg_catalog.concat_ws(' ',"
           "         CASE WHEN i.type = 'function' THEN pg_catalog.concat_ws(' ',"
           "           CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,"
           "           CASE WHEN p.proisstrict THEN 'STRICT' ELSE 'CALLED ON NULL INPUT' END,"
           "           CASE WHEN p.proleakproof THEN 'LEAKPROOF' ELSE 'NOT LEAKPROOF' END,"
           "           CASE pg_catalog.to_jsonb(p) ->> 'proparallel' WHEN 's' THEN 'PARALLEL SAFE'"
           "             WHEN 'r' THEN 'PARALLEL RESTRICTED' WHEN 'u' THEN 'PARALLEL UNSAFE' END,"
           "           'COST ' || p.procost, CASE WHEN p.proretset THEN 'ROWS ' || p.prorows END) END,"
           "         CASE WHEN p.prosecdef THEN 'SECURITY DEFINER' ELSE 'SECURITY INVOKER' END) END,"
           "       coalesce(p.proconfig, '{}')"
           "  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"
           "  LEFT JOIN pg_catalog.pg_proc p ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = "
           "d.objid,"
           "       LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) i"
           " WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'"
           "   AND i.identity IS NOT NULL")) {
    const std::string type(row.text(0));
    const std::string name(row.text(1));
    ExtensionMember member{.identity = type + " " + name,
                           .extension = std::string(row.text(2)),
                           .attributes = row.optional_text(3).value_or("")};
    if (!member.attributes.empty()) {
      const std::string alter = fmt::format("ALTER {} {} ", type, name);
      member.statement = fmt::format("{0}{1}; {0}RESET ALL", alter, member.attributes);
      for (const std::string& setting : row.text_array(4)) {
        member.attributes += " SET " + setting;
        member.statement += fmt::format("; {}{}", alter, setting_sql(setting));
      }
    }
    members.push_back(std::move(member));
  }
  return members;
}

bool is_of_extension_members(const BeyondDifference& difference) {
  return difference.object.find(kOfExtension) != std::string::npos;
}

std::vector<BeyondDifference> compare_extension_members(const std::vector<ExtensionMember>& source,
                                                        pg::Connection& target) {
  std::map<std::string, std::string> there;
  for (const ExtensionMember& member : read_extension_members(target)) there[member.identity] = member.attributes;
  const std::set<std::string> versions_there = read_extension_versions(target);
  std::vector<BeyondDifference> differences;
  for (const ExtensionMember& member : source) {
    // Another version may have other members.
    if (!versions_there.contains(member.extension)) continue;
    const auto found = there.find(member.identity);
    const std::string object = fmt::format("{}{}{}", member.identity, kOfExtension, member.extension);
    if (found == there.end()) {
      differences.push_back({object, "a member\n", ""});
    } else if (found->second != member.attributes) {
      differences.push_back({object, member.statement + "\n", found->second + "\n"});
    }
  }
  return differences;
}

}  // namespace pgsluice::schema
