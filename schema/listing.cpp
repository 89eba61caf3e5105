#include "pgsluice/schema/listing.h"

namespace pgsluice::schema {

namespace {

Oid oid_of(const pg::Row& row, int column) { return static_cast<Oid>(row.integer(column)); }

}  // namespace

std::vector<ListedDatabase> list_databases(pg::Connection& connection) {
  const pg::Result found = connection.execute(
      "SELECT d.oid, d.datname, CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT')"
      " THEN pg_catalog.pg_database_size(d.oid) ELSE 0 END AS size"
      " FROM pg_catalog.pg_database d WHERE NOT d.datistemplate AND d.datallowconn ORDER BY size DESC, d.datname");
  std::vector<ListedDatabase> databases;
  for (const pg::Row row : found) databases.push_back({oid_of(row, 0), std::string(row.text(1)), {row.integer(2)}});
  return databases;
}

std::vector<ListedExtension> list_extensions(pg::Connection& connection) {
  const pg::Result found = connection.execute(
      "SELECT e.oid, e.extname, n.nspname, e.extversion FROM pg_catalog.pg_extension e"
      " JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY e.extname");
  std::vector<ListedExtension> extensions;
  for (const pg::Row row : found) {
    extensions.push_back(
        {oid_of(row, 0), std::string(row.text(1)), std::string(row.text(2)), std::string(row.text(3))});
  }
  return extensions;
}

std::vector<AvailableExtension> list_available_extensions(pg::Connection& connection, Versions versions) {
  const pg::Result found = connection.execute(
      versions == Versions::kAll
          ? "SELECT name, version FROM pg_catalog.pg_available_extension_versions ORDER BY 1, 2"
          : "SELECT name, coalesce(default_version, '') FROM pg_catalog.pg_available_extensions ORDER BY 1");
  std::vector<AvailableExtension> extensions;
  for (const pg::Row row : found) extensions.push_back({std::string(row.text(0)), std::string(row.text(1))});
  return extensions;
}

// 100 is the collation of whatever says nothing else; 0 of what has none.
std::vector<ListedCollation> list_collations(pg::Connection& connection) {
  const pg::Result found = connection.execute(R"(
SELECT 0::bigint, d.datcollate, 'database ' || pg_catalog.quote_ident(d.datname), 0 AS place
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
 UNION ALL
SELECT l.oid::bigint, l.collname, 'column ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
       || '.' || pg_catalog.quote_ident(a.attname), 1
  FROM pg_catalog.pg_attribute a
       JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'f', 'm', 'v', 'c')
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
 WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attcollation NOT IN (0, 100)
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 UNION ALL
SELECT DISTINCT l.oid::bigint, l.collname, 'index ' || pg_catalog.quote_ident(n.nspname) || '.'
       || pg_catalog.quote_ident(c.relname), 2
  FROM pg_catalog.pg_index i
       JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       CROSS JOIN LATERAL pg_catalog.unnest(i.indcollation::oid[]) AS k(oid)
       JOIN pg_catalog.pg_collation l ON l.oid = k.oid
 WHERE k.oid NOT IN (0, 100) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY 4, 3, 1)");
  std::vector<ListedCollation> collations;
  for (const pg::Row row : found) {
    collations.push_back({oid_of(row, 0), std::string(row.text(1)), std::string(row.text(2))});
  }
  return collations;
}

}  // namespace pgsluice::schema
