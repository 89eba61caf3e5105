#include "index/index_build.h"

#include <fmt/format.h>

#include "pg/quote.h"

namespace pgsluice::index {

bool built_before_constraint(const schema::Index& index) {
  return index.constraint != 0 && (index.constraint_type == 'p' || index.constraint_type == 'u') &&
         !index.on_partitioned_table && !index.without_overlaps;
}

std::string build_statement(const schema::Index& index) { return index.definition + ";\n"; }

std::string constraint_statement(const schema::Index& index, const schema::Relation& table) {
  const std::string name = pg::quote_identifier(index.constraint_name);
  // PostgreSQL keeps the names of a constraint and of its index alike.
  std::string sql =
      fmt::format("ALTER TABLE ONLY {} ADD CONSTRAINT {} {} USING INDEX {}", table.quoted(), name,
                  index.constraint_type == 'p' ? "PRIMARY KEY" : "UNIQUE", pg::quote_identifier(index.name));
  if (index.deferrable) sql += " DEFERRABLE";
  if (index.deferred) sql += " INITIALLY DEFERRED";
  sql += ";\n";
  if (index.clustered) sql += fmt::format("ALTER TABLE {} CLUSTER ON {};\n", table.quoted(), name);
  if (index.replica_identity) {
    sql += fmt::format("ALTER TABLE ONLY {} REPLICA IDENTITY USING INDEX {};\n", table.quoted(), name);
  }
  for (const std::string& extension : index.extensions) {
    sql += fmt::format("ALTER INDEX {} DEPENDS ON EXTENSION {};\n", pg::quote_qualified(index.schema, index.name),
                       pg::quote_identifier(extension));
  }
  return sql;
}

}  // namespace pgsluice::index
