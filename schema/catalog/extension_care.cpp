#include "schema/catalog/extension_care.h"

#include <fmt/format.h>

#include "pg/quote.h"

namespace pgsluice::schema {

namespace {

constexpr std::string_view kTimescale = "timescaledb";

std::optional<ExtensionCall> call(const std::map<std::string, std::string, std::less<>>& extensions,
                                  std::string_view function) {
  const auto timescale = extensions.find(kTimescale);
  if (timescale == extensions.end()) return std::nullopt;
  return ExtensionCall{fmt::format("{}()", function),
                       fmt::format("SELECT {}()", pg::quote_qualified(timescale->second, function))};
}

}  // namespace

std::optional<ExtensionCall> before_restore(const std::map<std::string, std::string, std::less<>>& extensions) {
  return call(extensions, "timescaledb_pre_restore");
}

std::optional<ExtensionCall> after_restore(const std::map<std::string, std::string, std::less<>>& extensions) {
  return call(extensions, "timescaledb_post_restore");
}

std::vector<DistributedTable> read_distributed_tables(pg::Connection& source) {
  // A view of Citus's own, in one of two schemas by its version.
  const pg::Result view = source.execute(
      "SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      "  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid"
      "   AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'"
      "  JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"
      " WHERE e.extname = 'citus' AND c.relname = 'citus_tables'");
  if (view.empty()) return {};
  std::vector<DistributedTable> tables;
  std::map<std::string, std::string> first_of_group;
  for (const pg::Row row :
       source.execute(fmt::format("SELECT c.oid, n.nspname, c.relname, t.citus_table_type, t.distribution_column,"
                                  "       t.colocation_id, t.shard_count"
                                  "  FROM {} t JOIN pg_catalog.pg_class c ON c.oid = t.table_name::pg_catalog.oid"
                                  "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                                  " WHERE t.citus_table_type IN ('reference', 'distributed', 'schema')"
                                  // A partition goes with the table that it is one of.
                                  "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)"
                                  " ORDER BY t.citus_table_type = 'distributed', c.oid",
                                  pg::quote_qualified(view[0].text(0), "citus_tables")))) {
    const std::string name = pg::quote_qualified(row.text(1), row.text(2));
    std::string sql;
    const bool without_key = row.optional_text(4).value_or("<none>") == "<none>";  // one shard
    if (row.text(3) == "reference") {
      sql = fmt::format("SELECT pg_catalog.create_reference_table({})", pg::quote_literal(name));
    } else if (row.text(3) == "distributed") {
      const auto [first, is_first] = first_of_group.emplace(row.text(5), name);
      sql = fmt::format("SELECT pg_catalog.create_distributed_table({}, {}, colocate_with => {}{})",
                        pg::quote_literal(name), without_key ? "NULL" : pg::quote_literal(row.text(4)),
                        pg::quote_literal(is_first ? "none" : first->second),
                        is_first && !without_key ? fmt::format(", shard_count => {}", row.text(6)) : "");
    }
    tables.push_back({.table = row.oid(0), .sql = std::move(sql)});
  }
  return tables;
}

}  // namespace pgsluice::schema
