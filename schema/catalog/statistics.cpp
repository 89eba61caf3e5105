#include "schema/catalog/statistics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <map>

#include "pg/quote.h"
#include "pg/transaction.h"
#include "pg/version.h"
#include "pgsluice/error.h"

namespace pgsluice::schema {

namespace {

struct Value {
  std::string_view name;  ///< in pg_stats, and of the function's argument
  std::string_view type;  ///< of the argument
  int since = 0;          ///< the release whose pg_stats has it
};

constexpr std::array<Value, 13> kValues = {{
    {"null_frac", "real"},
    {"avg_width", "integer"},
    {"n_distinct", "real"},
    {"most_common_vals", "text"},
    {"most_common_freqs", "real[]"},
    {"histogram_bounds", "text"},
    {"correlation", "real"},
    {"most_common_elems", "text"},
    {"most_common_elem_freqs", "real[]"},
    {"elem_count_histogram", "real[]"},
    {"range_length_histogram", "text", pg::since::kRangeStatistics},
    {"range_empty_frac", "real", pg::since::kRangeStatistics},
    {"range_bounds_histogram", "text", pg::since::kRangeStatistics},
}};

std::string array_of(std::span<const std::string> names) {
  std::vector<std::string> literals;
  for (const std::string& name : names) literals.push_back(pg::quote_literal(name));
  return fmt::format("ARRAY[{}]::name[]", fmt::join(literals, ", "));
}

std::string oids_of(std::span<const Relation* const> tables) {
  std::vector<Oid> oids;
  for (const Relation* table : tables) oids.push_back(table->oid);
  return fmt::format("'{{{}}}'::oid[]", fmt::join(oids, ","));
}

// Tables whose own statistics are current, the number of rows, how many of their columns and of their indexes'
// expressions have to have statistics, and the indexes with expressions. A partitioned table is analyzed by hand only,
// and no counter tells of its changes: the rows of its partitions do.
std::string tables_sql(int version, std::span<const Relation* const> tables) {
  const std::string_view gathered = version >= pg::since::kVirtualColumns
                                        ? "AND coalesce(a.attstattarget, -1) <> 0 AND a.attgenerated <> 'v'"
                                        : "AND coalesce(a.attstattarget, -1) <> 0";
  const std::string_view tree_is_current =
      version >= pg::since::kRowsOfPartitionedTables
          ? "(SELECT pg_catalog.abs(c.reltuples - pg_catalog.sum(p.reltuples)) <= 50 + 0.1 * c.reltuples"
            "   FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class p ON p.oid = t.relid"
            "  WHERE t.isleaf)"
          : "false";
  const std::string_view own_kinds =
      version >= pg::since::kRangeStatistics ? "" : "OR p.proname IN ('range_typanalyze', 'multirange_typanalyze')";
  const std::string_view no_extended =
      version >= pg::since::kExtendedStatistics
          ? "AND NOT EXISTS (SELECT FROM pg_catalog.pg_statistic_ext x WHERE x.stxrelid = c.oid)"
          : "";
  return fmt::format(
      R"(
WITH expressions AS (
  SELECT i.indrelid, i.indexrelid, k.relname, coalesce(a.attstattarget, -1) <> 0 AS has_statistics
    FROM pg_catalog.pg_index i
         JOIN pg_catalog.pg_class k ON k.oid = i.indexrelid
         CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, number)
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = u.number
   WHERE i.indrelid = ANY ({oids}) AND i.indexprs IS NOT NULL AND u.attnum = 0 AND i.indisvalid AND k.relkind = 'i')
SELECT c.oid, c.reltuples,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped {gathered})
       + (SELECT pg_catalog.count(*) FROM expressions e WHERE e.indrelid = c.oid AND e.has_statistics),
       ARRAY(SELECT DISTINCT e.relname FROM expressions e WHERE e.indrelid = c.oid)
  FROM pg_catalog.pg_class c
 WHERE c.oid = ANY ({oids}) AND c.reltuples >= 0
   AND CASE WHEN c.relkind = 'p' THEN {tree_is_current}
            ELSE NOT c.relhassubclass AND pg_catalog.pg_stat_get_mod_since_analyze(c.oid) <= 50 + 0.1 * c.reltuples
                 AND (c.reltuples > 0 OR pg_catalog.pg_relation_size(c.oid) = 0) END
   {no_extended}
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                     JOIN pg_catalog.pg_type t ON t.oid = a.atttypid JOIN pg_catalog.pg_proc p ON p.oid = t.typanalyze
                    WHERE (a.attrelid = c.oid OR a.attrelid IN (SELECT e.indexrelid FROM expressions e
                                                                 WHERE e.indrelid = c.oid))
                      AND a.attnum > 0 AND NOT a.attisdropped AND (p.oid >= 16384 {own_kinds})))",
      fmt::arg("oids", oids_of(tables)), fmt::arg("gathered", gathered), fmt::arg("tree_is_current", tree_is_current),
      fmt::arg("no_extended", no_extended), fmt::arg("own_kinds", own_kinds));
}

// By names, which the server looks up in its indexes; an OID would make it read all of pg_stats.
std::string columns_sql(int version, std::span<const Relation* const> tables, std::vector<std::string> relations) {
  std::set<std::string> schemas;
  for (const Relation* table : tables) schemas.insert(table->schema);
  for (const Relation* table : tables) relations.push_back(table->name);
  std::string values;
  for (const Value& value : kValues) {
    values += version >= value.since ? fmt::format(", s.{}::text", value.name) : std::string(", NULL");
  }
  return fmt::format(
      "SELECT coalesce(i.indrelid, c.oid), c.relname,"
      "       CASE WHEN i.indrelid IS NULL THEN s.attname END, CASE WHEN i.indrelid IS NOT NULL THEN a.attnum END,"
      "       s.inherited{values}"
      "  FROM pg_catalog.pg_stats s"
      "       JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname"
      "       JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename"
      "       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname"
      "       LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid"
      " WHERE s.schemaname = ANY ({schemas}) AND s.tablename = ANY ({relations})"
      "   AND coalesce(i.indrelid, c.oid) = ANY ({oids}) AND s.inherited = (c.relkind = 'p')",
      fmt::arg("values", values),
      fmt::arg("schemas", array_of(std::vector<std::string>(schemas.begin(), schemas.end()))),
      fmt::arg("relations", array_of(relations)), fmt::arg("oids", oids_of(tables)));
}

std::string literal(const std::optional<std::string>& text) { return text ? pg::quote_literal(*text) : "NULL"; }

// Returns for each the place of its table in the list, and true if the target took all of it.
std::string tables_statement(int source_version, std::span<const TableStatistics> statistics,
                             const std::set<Oid>& all_visible) {
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < statistics.size(); ++i) {
    const Relation& table = *statistics[i].table;
    rows.push_back(fmt::format("({}, {}, {}, {}, {}, {})", i, pg::quote_literal(table.schema),
                               pg::quote_literal(table.name), pg::quote_literal(statistics[i].rows),
                               table.kind == RelationKind::kPartitionedTable, all_visible.contains(table.oid)));
  }
  // The pages are those that the rows take here, by which the planner multiplies the density of rows.
  return fmt::format(
      "SELECT v.place, pg_catalog.pg_restore_relation_stats("
      "'version', {}::integer, 'schemaname', v.schema, 'relname', v.name, 'reltuples', v.rows::real,"
      " 'relpages', p.pages, 'relallvisible', CASE WHEN v.all_visible THEN p.pages ELSE 0 END,"
      " 'relallfrozen', CASE WHEN v.all_visible THEN p.pages ELSE 0 END)"
      " FROM (VALUES {}) v(place, schema, name, rows, has_partitions, all_visible)"
      " CROSS JOIN LATERAL (SELECT CASE WHEN v.has_partitions THEN -1 ELSE"
      "   (pg_catalog.pg_relation_size(pg_catalog.format('%I.%I', v.schema, v.name)::pg_catalog.regclass)"
      "    / pg_catalog.current_setting('block_size')::integer)::integer END AS pages) p",
      source_version, fmt::join(rows, ", "));
}

std::string columns_statement(int source_version, std::span<const TableStatistics> statistics) {
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < statistics.size(); ++i) {
    for (const ColumnStatistics& column : statistics[i].columns) {
      std::string row = fmt::format("({}, {}, {}, {}, {}, {}", i, pg::quote_literal(statistics[i].table->schema),
                                    pg::quote_literal(column.relation), literal(column.column), literal(column.number),
                                    pg::quote_literal(column.inherited));
      for (const std::optional<std::string>& value : column.values) row += ", " + literal(value);
      rows.push_back(row + ")");
    }
  }
  if (rows.empty()) return "";
  std::string arguments;
  std::string names;
  for (const Value& value : kValues) {
    arguments += fmt::format(", '{}', v.{}::{}", value.name, value.name, value.type);
    names += fmt::format(", {}", value.name);
  }
  return fmt::format(
      "SELECT v.place, pg_catalog.pg_restore_attribute_stats("
      "'version', {}::integer, 'schemaname', v.schema, 'relname', v.relation, 'attname', v.attname,"
      " 'attnum', v.attnum::smallint, 'inherited', v.inherited::boolean{})"
      " FROM (VALUES {}) v(place, schema, relation, attname, attnum, inherited{})",
      source_version, arguments, fmt::join(rows, ", "), names);
}

}  // namespace

std::vector<TableStatistics> read_statistics(pg::Connection& source, std::span<const Relation* const> tables) {
  struct Found {
    TableStatistics statistics;
    std::size_t columns = 0;
  };
  std::map<Oid, const Relation*> wanted;
  for (const Relation* table : tables) wanted[table->oid] = table;
  std::map<Oid, Found> found;
  std::vector<std::string> indexes;
  for (const pg::Row row : source.execute(tables_sql(source.server_version(), tables))) {
    const auto columns = static_cast<std::size_t>(row.integer(2));
    TableStatistics statistics{.table = wanted.at(row.oid(0)), .rows = std::string(row.text(1)), .columns = {}};
    found[row.oid(0)] = {.statistics = std::move(statistics), .columns = columns};
    for (const std::string& index : row.text_array(3)) indexes.push_back(index);
  }
  if (found.empty()) return {};
  constexpr int kFirstValue = 5;
  for (const pg::Row row : source.execute(columns_sql(source.server_version(), tables, std::move(indexes)))) {
    const auto of = found.find(row.oid(0));
    if (of == found.end()) continue;
    ColumnStatistics column{.relation = std::string(row.text(1)),
                            .column = row.optional_text(2),
                            .number = row.optional_text(3),
                            .inherited = std::string(row.text(4)),
                            .values = {}};
    for (std::size_t i = 0; i < kValues.size(); ++i) {
      column.values.push_back(row.optional_text(kFirstValue + static_cast<int>(i)));
    }
    of->second.statistics.columns.push_back(std::move(column));
  }
  std::vector<TableStatistics> result;
  for (auto& [oid, table] : found) {
    // ANALYZE gathers nothing where there are no rows.
    const bool is_empty = table.statistics.rows == "0";
    if (is_empty || table.statistics.columns.size() == table.columns) result.push_back(std::move(table.statistics));
  }
  return result;
}

void write_statistics(pg::Connection& target, int source_version, std::span<const TableStatistics> statistics,
                      const std::set<Oid>& all_visible) {
  if (statistics.empty()) return;
  pg::Transaction transaction(target);
  for (const std::string& statement :
       {columns_statement(source_version, statistics), tables_statement(source_version, statistics, all_visible)}) {
    if (statement.empty()) continue;
    for (const pg::Row row : target.execute(statement)) {
      if (row.boolean(1)) continue;
      const Relation& table = *statistics[static_cast<std::size_t>(row.integer(0))].table;
      // It says why by a warning.
      throw Error(ErrorKind::kState, "the statistics of the source are not understood here")
          .on(Side::kTarget)
          .object("table " + table.display());
    }
  }
  transaction.commit();
}

}  // namespace pgsluice::schema
