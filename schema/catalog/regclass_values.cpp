#include "schema/catalog/regclass_values.h"

#include <fmt/format.h>

#include "pg/quote.h"

namespace pgsluice::schema {

namespace {

// Columns of regclass and of what is made of it. A domain is what its base type is; an array of anything but plain
// values is treated like a composite: not looked into, but taken as naming an index.
constexpr std::string_view kColumnsSql = R"(
WITH RECURSIVE made_of(oid, kind) AS (
  SELECT 'pg_catalog.regclass'::pg_catalog.regtype::pg_catalog.oid, 'scalar'
  UNION
  SELECT t.oid, CASE WHEN t.typtype = 'd' THEN m.kind WHEN t.typtype = 'b' AND m.kind = 'scalar' THEN 'array'
              ELSE 'composite' END
    FROM made_of m JOIN pg_catalog.pg_type t
      ON (t.typtype = 'd' AND t.typbasetype = m.oid) OR (t.typtype = 'b' AND t.typelem = m.oid AND t.typlen = -1)
      OR (t.typtype = 'c' AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = m.oid)))
SELECT a.attrelid, a.attname, m.kind
  FROM pg_catalog.pg_attribute a JOIN made_of m ON m.oid = a.atttypid
       JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
 WHERE a.attnum > 0 AND NOT a.attisdropped)";

constexpr std::string_view kIndexes = "SELECT oid FROM pg_catalog.pg_class WHERE relkind IN ('i', 'I')";

bool names_an_index(pg::Connection& source, const Relation& table, std::string_view column, std::string_view kind) {
  if (kind == "composite") return true;
  source.log().info(fmt::format("looking into {} for values that name indexes", table.display()));
  const std::string name = "t." + pg::quote_identifier(column);
  const std::string condition =
      kind == "scalar" ? fmt::format("{}::pg_catalog.regclass::pg_catalog.oid IN ({})", name, kIndexes)
                       : fmt::format("{}::pg_catalog.regclass[]::pg_catalog.oid[] && ARRAY({})", name, kIndexes);
  return source.execute(fmt::format("SELECT EXISTS (SELECT FROM ONLY {} t WHERE {})", table.quoted(), condition))[0]
      .boolean(0);
}

}  // namespace

std::set<Oid> find_tables_naming_indexes(pg::Connection& source, const Catalog& catalog) {
  std::set<Oid> found;
  for (const pg::Row row : source.execute(kColumnsSql)) {
    const Relation* table = catalog.relation(row.oid(0));
    // A table that may not be read stops the clone anyway, with a better message.
    if (table == nullptr || found.contains(table->oid) || !table->may_select || table->row_security_applies) continue;
    if (names_an_index(source, *table, row.text(1), row.text(2))) found.insert(table->oid);
  }
  return found;
}

}  // namespace pgsluice::schema
