#include "schema/catalog/collations.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "pg/version.h"

namespace pgsluice::schema {

namespace {

using CollationFacts = std::set<std::string>;

// Provider, locale and version of collations; columns that only some versions have are read through their row as JSON.
// The collation 100 is the database's own.
std::string facts_sql(int version, std::string_view collations) {
  const bool newer = version >= pg::since::kDatabaseCollationVersion;
  const std::string_view own_version = newer ? "pg_catalog.pg_database_collation_actual_version(d.oid)" : "''";
  const std::string_view named_version =
      version >= pg::since::kCollationProvider ? "pg_catalog.pg_collation_actual_version(c.oid)" : "''";
  return fmt::format(R"(
SELECT provider, locale, coalesce(version, '') FROM (
  SELECT c.oid, coalesce(pg_catalog.to_jsonb(c) ->> 'collprovider', 'c') AS provider,
         coalesce(pg_catalog.to_jsonb(c) ->> 'colllocale', pg_catalog.to_jsonb(c) ->> 'colliculocale', c.collcollate) AS locale,
         {named_version} AS version
    FROM pg_catalog.pg_collation c WHERE c.oid <> 100
   UNION ALL
  SELECT 100, coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c'),
         coalesce(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale', d.datcollate),
         {own_version}
    FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) f
 WHERE f.oid {collations})",
                     fmt::arg("named_version", named_version), fmt::arg("own_version", own_version),
                     fmt::arg("collations", collations));
}

CollationFacts read_facts(pg::Connection& connection, std::string_view collations) {
  CollationFacts facts;
  for (const pg::Row row : connection.execute(facts_sql(connection.server_version(), collations))) {
    const std::string locale(row.text(1));
    const bool by_code_point = locale == "C" || locale == "POSIX" || locale.rfind("C.", 0) == 0;
    const bool unknown = row.text(2).empty();
    if (by_code_point) {
      facts.insert("C");
    } else {
      // A version that is not known is like no other.
      facts.insert(fmt::format("{} {} {}", row.text(0), locale,
                               unknown ? fmt::format("of the {}", to_string(connection.side())) : row.text(2)));
    }
  }
  return facts;
}

}  // namespace

bool partition_keys_sort_alike(pg::Connection& source, pg::Connection& target) {
  // Range keys, without C and POSIX.
  constexpr std::string_view kKeys =
      "IN (SELECT k FROM pg_catalog.pg_partitioned_table p, pg_catalog.unnest(p.partcollation::oid[]) k"
      " WHERE p.partstrat = 'r' AND k NOT IN (0, 950, 951))";
  const CollationFacts needed = read_facts(source, kKeys);
  if (needed.empty()) return true;
  // A collation of the user's is not on the target yet: one of the same locale shows its version.
  const CollationFacts own = read_facts(target, "= 100");
  const CollationFacts named = read_facts(target, "<> 100");
  const CollationFacts own_on_source = read_facts(source, "= 100");
  return std::all_of(needed.begin(), needed.end(), [&](const std::string& fact) {
    return own_on_source.contains(fact) ? own.contains(fact) : fact == "C" || named.contains(fact);
  });
}

}  // namespace pgsluice::schema
