#include "schema/catalog/function_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "pg/version.h"

namespace pgsluice::schema {

namespace {

// Indexes (and, with index 0, statistics) with a function, an operator or an operator class that is not built in.
// Among members of extensions only functions count: operators and operator classes depend on their arguments alone.
std::string function_calls_sql(int version) {
  constexpr std::string_view kCalled = R"(
       ((d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refobjid >= 16384)
        OR (d.refclassid IN ('pg_catalog.pg_operator'::pg_catalog.regclass, 'pg_catalog.pg_opclass'::pg_catalog.regclass)
            AND d.refobjid >= 16384
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = d.refclassid AND e.objid = d.refobjid
                               AND e.deptype = 'e'))))";
  std::string sql = fmt::format(R"(
SELECT i.indrelid, i.indexrelid FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
 WHERE {})",
                                kCalled);
  if (version < pg::since::kExtendedStatistics) return sql;
  return sql + fmt::format(R"(
UNION
SELECT s.stxrelid, 0::oid FROM pg_catalog.pg_statistic_ext s
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass AND d.objid = s.oid
 WHERE {})",
                           kCalled);
}

// Tables whose CHECK, generated column or partition key calls a user-defined function (0 stands for domains), with its
// source if it may read tables. A function in C is assumed not to.
constexpr std::string_view kFunctionsOfRowsSql = R"(
WITH calls AS (
  SELECT d.classid, d.objid, CASE WHEN l.lanname IN ('c', 'internal') THEN NULL ELSE p.prosrc END AS body
    FROM pg_catalog.pg_depend d
         LEFT JOIN pg_catalog.pg_operator o
           ON d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND o.oid = d.refobjid
         JOIN pg_catalog.pg_proc p
           ON p.oid = CASE WHEN d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass THEN d.refobjid
                           ELSE o.oprcode::oid END
         JOIN pg_catalog.pg_language l ON l.oid = p.prolang
   WHERE d.refobjid >= 16384
     AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass))
SELECT k.conrelid, c.body FROM pg_catalog.pg_constraint k JOIN calls c
    ON c.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND c.objid = k.oid
 WHERE k.contype = 'c'
UNION ALL
SELECT a.adrelid, c.body FROM pg_catalog.pg_attrdef a JOIN calls c
    ON c.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND c.objid = a.oid
UNION ALL
SELECT r.oid, c.body FROM pg_catalog.pg_class r JOIN calls c
    ON c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.objid = r.oid
 WHERE r.relkind IN ('r', 'p'))";

}  // namespace

void read_function_calls(pg::Connection& source, Catalog& catalog) {
  std::set<Oid> found;  // tables and indexes: both are in pg_class
  for (const pg::Row row : source.execute(function_calls_sql(catalog.server_version))) {
    found.insert(row.oid(0));
    found.insert(row.oid(1));
  }
  for (Relation& relation : catalog.relations) relation.statistics_call_functions = found.contains(relation.oid);
  for (Index& index : catalog.indexes) index.calls_functions = found.contains(index.oid);
}

// The functions that a generated column calls are recorded as dependencies of its pg_attrdef entry or of the table,
// depending on the version.
void read_functions_of_rows(pg::Connection& source, Catalog& catalog) {
  std::set<Oid> calling;
  std::map<Oid, std::set<std::string>> bodies;  // of functions that may read tables
  for (const pg::Row row : source.execute(kFunctionsOfRowsSql)) {
    calling.insert(row.oid(0));
    if (const auto body = row.optional_text(1)) bodies[row.oid(0)].insert(*body);
  }
  // Partitions check their parents' key. The list is not sorted from the top, hence the loop.
  for (bool grows = true; grows;) {
    grows = false;
    for (const Inheritance& link : catalog.inheritance) {
      if (calling.contains(link.parent)) grows = calling.insert(link.child).second || grows;
      if (const auto above = bodies.find(link.parent); above != bodies.end()) {
        const std::set<std::string> from = above->second;
        std::set<std::string>& into = bodies[link.child];
        const std::size_t before = into.size();
        into.insert(from.begin(), from.end());
        grows = into.size() > before || grows;
      }
    }
  }
  const bool in_domains = calling.contains(0);
  for (Relation& relation : catalog.relations) {
    const bool has_user_type = in_domains && std::any_of(relation.column_types.begin(), relation.column_types.end(),
                                                         [&](Oid type) { return type >= 16384; });
    relation.rows_call_functions = calling.contains(relation.oid) || has_user_type;
    std::set<std::string> all = bodies[relation.oid];
    if (has_user_type) all.insert(bodies[0].begin(), bodies[0].end());
    relation.bodies_of_row_functions.assign(all.begin(), all.end());
  }
}

}  // namespace pgsluice::schema
