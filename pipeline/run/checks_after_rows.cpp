#include "pipeline/run/checks_after_rows.h"

#include <fmt/format.h>

#include <array>

#include "pg/quote.h"

namespace pgsluice::pipeline {

ChecksAfterRows checks_after_rows(pg::Connection& target, const schema::Relation& table, CheckRows rows) {
  const std::array<std::string, 1> name = {table.quoted()};
  ChecksAfterRows result;
  for (const pg::Row row : target.execute(
           "SELECT conname, pg_catalog.pg_get_constraintdef(oid), convalidated,"
           " pg_catalog.obj_description(oid, 'pg_constraint')"
           " FROM pg_catalog.pg_constraint WHERE conrelid = pg_catalog.to_regclass($1) AND contype = 'c'"
           " AND conislocal AND coninhcount = 0"
           " AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = conrelid) ORDER BY conname",
           name)) {
    const std::string constraint = pg::quote_identifier(row.text(0));
    const bool is_not_valid = rows == CheckRows::kNone && row.boolean(2);
    result.before += fmt::format("ALTER TABLE {} DROP CONSTRAINT {};\n", table.quoted(), constraint);
    result.after += fmt::format("ALTER TABLE {} ADD CONSTRAINT {} {}{};\n", table.quoted(), constraint, row.text(1),
                                is_not_valid ? " NOT VALID" : "");
    if (const auto comment = row.optional_text(3)) {
      result.after += fmt::format("COMMENT ON CONSTRAINT {} ON {} IS {};\n", constraint, table.quoted(),
                                  pg::quote_literal(*comment));
    }
    result.names.emplace_back(row.text(0));
  }
  return result;
}

}  // namespace pgsluice::pipeline
