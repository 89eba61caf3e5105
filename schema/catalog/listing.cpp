#include "schema/catalog/listing.h"

#include <fmt/format.h>

#include "pg/quote.h"
#include "pg/version.h"
#include "schema/catalog/catalog_sql.h"
#include "schema/catalog/expression_settings.h"

namespace pgsluice::schema {

namespace {

Oid oid_of(const pg::Row& row, int column) { return static_cast<Oid>(row.integer(column)); }

}  // namespace

std::vector<ListedDatabase> list_databases(pg::Connection& connection) {
  const pg::Result found = connection.execute(
      "SELECT d.oid, d.datname, coalesce(CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT')"
      " THEN pg_catalog.pg_database_size(d.oid) END, 0) AS size"  // null of one that is dropped at this moment
      " FROM pg_catalog.pg_database d WHERE NOT d.datistemplate AND d.datallowconn AND d.datconnlimit <> -2 ORDER BY "
      "size DESC, d.datname");
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
std::vector<ListedColumn> list_columns(pg::Connection& connection) {
  const pg::Result found = connection.execute(fmt::format(
      "SELECT a.attrelid, a.attnum, a.atttypid, a.attname, coalesce(a.attnum = ANY (i.indkey), false), {}"
      "  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'"
      "  LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary"
      " WHERE a.attnum > 0 AND NOT a.attisdropped AND c.oid >= 16384 ORDER BY a.attrelid, a.attnum",
      connection.server_version() >= pg::since::kGeneratedColumns ? "a.attgenerated <> ''" : "false"));
  std::vector<ListedColumn> columns;
  for (const pg::Row row : found) {
    columns.push_back({.table = row.oid(0),
                       .number = static_cast<int>(row.integer(1)),
                       .type = row.oid(2),
                       .name = std::string(row.text(3)),
                       .primary = row.boolean(4),
                       .generated = row.boolean(5)});
  }
  return columns;
}

std::vector<ListedOwner> list_owners(pg::Connection& connection) {
  std::vector<ListedOwner> owners;
  for (const pg::Row row : connection.execute(
           "SELECT oid, pg_catalog.pg_get_userbyid(relowner) FROM pg_catalog.pg_class WHERE oid >= 16384")) {
    owners.push_back({row.oid(0), std::string(row.text(1))});
  }
  return owners;
}

std::map<Oid, ListedIndexDetails> list_index_details(pg::Connection& connection) {
  std::map<Oid, ListedIndexDetails> details;
  for (const pg::Row row : connection.execute(
           "SELECT i.indexrelid, i.indisunique, coalesce((SELECT pg_catalog.string_agg(a.attname, ',' ORDER BY k.n)"
           "    FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, n)"
           "    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum), ''),"
           "  coalesce(pg_catalog.pg_get_constraintdef(c.oid), '')"
           "  FROM pg_catalog.pg_index i LEFT JOIN pg_catalog.pg_constraint c"
           "    ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u', 'x')"
           " WHERE i.indexrelid >= 16384")) {
    details[row.oid(0)] = {
        .unique = row.boolean(1), .columns = std::string(row.text(2)), .constraint = std::string(row.text(3))};
  }
  return details;
}

std::vector<ListedCollation> list_collations(pg::Connection& connection) {
  // Objects in the words of pg_describe_object(), with no schema where users need none.
  connection.execute(fmt::format("SET search_path = {}", pg::quote_list(read_search_path(connection))));
  const pg::Result found = connection.execute(fmt::format(R"(
WITH used(oid, name, object, place) AS (
SELECT 0::bigint, d.datcollate, 'database ' || pg_catalog.quote_ident(d.datname), 0
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
 UNION ALL
SELECT l.oid::bigint, l.collname, pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, c.oid, a.attnum),
       1
  FROM pg_catalog.pg_attribute a
       JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'f', 'm', 'v', 'c')
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
 WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attcollation NOT IN (0, 100)
   AND {0}
 UNION ALL
SELECT l.oid::bigint, l.collname, pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, c.oid, 0), 2
  FROM pg_catalog.pg_index i
       JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       CROSS JOIN LATERAL (SELECT DISTINCT k FROM pg_catalog.unnest(i.indcollation::oid[]) AS k) AS k(oid)
       JOIN pg_catalog.pg_collation l ON l.oid = k.oid
 WHERE k.oid NOT IN (0, 100) AND {0}
   -- One that is a column's is listed with it.
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attcollation = k.oid))
SELECT oid, name, pg_catalog.string_agg(object, ', ' ORDER BY place, object) FROM used
 GROUP BY oid, name ORDER BY pg_catalog.min(place), oid)",
                                                          kUserSchema));
  connection.execute("SET search_path = ''");
  std::vector<ListedCollation> collations;
  for (const pg::Row row : found) {
    collations.push_back({oid_of(row, 0), std::string(row.text(1)), std::string(row.text(2))});
  }
  return collations;
}

}  // namespace pgsluice::schema
