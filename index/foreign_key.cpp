#include "index/foreign_key.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "pg/quote.h"

namespace pgsluice::index {

std::optional<std::string> not_valid_statement(std::string_view definition) {
  const std::size_t end = definition.find_last_not_of(" \n");
  if (end == std::string_view::npos || definition[end] != ';') return std::nullopt;
  return std::string(definition.substr(0, end)) + " NOT VALID;\n";
}

std::string not_valid_statement(const schema::LeafForeignKey& key, const schema::Relation& leaf) {
  return fmt::format("ALTER TABLE {} ADD CONSTRAINT {} {} NOT VALID", leaf.quoted(), pg::quote_identifier(key.name),
                     key.definition);
}

std::string validate_statement(const schema::ForeignKey& key, const schema::Relation& child) {
  return fmt::format("ALTER TABLE {} VALIDATE CONSTRAINT {}", child.quoted(), pg::quote_identifier(key.name));
}

std::string orphans_query(const schema::ForeignKey& key, const schema::Relation& child,
                          const schema::Relation& parent) {
  std::vector<std::string> nulls;
  std::vector<std::string> same;
  for (std::size_t i = 0; i < key.child_columns.size(); ++i) {
    const std::string column = "c." + pg::quote_identifier(key.child_columns[i]);
    nulls.push_back(column + " IS NULL");
    same.push_back(fmt::format("p.{} {} {}", pg::quote_identifier(key.parent_columns[i]), key.equalities[i], column));
  }
  // MATCH SIMPLE passes over a row with any null, MATCH FULL over one of nulls only.
  const bool is_partitioned = parent.kind == schema::RelationKind::kPartitionedTable;
  return fmt::format("SELECT c.* FROM ONLY {} c WHERE NOT ({}) AND NOT EXISTS (SELECT FROM {}{} p WHERE {})",
                     child.quoted(), fmt::join(nulls, key.match_full ? " AND " : " OR "), is_partitioned ? "" : "ONLY ",
                     parent.quoted(), fmt::join(same, " AND "));
}

}  // namespace pgsluice::index
