#include "copy/copy_statement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "pg/quote.h"

namespace pgsluice::copy {

namespace {

// Empty for a table of no columns, or of generated ones only: COPY knows no empty list, and without a list it leaves
// generated columns out by itself.
std::string column_list(const schema::Relation& table) {
  std::string list;
  for (const std::string& column : table.columns) {
    list += (list.empty() ? "" : ", ") + pg::quote_identifier(column);
  }
  return list;
}

std::string in_parentheses(const std::string& list) { return list.empty() ? "" : fmt::format(" ({})", list); }

std::string options(CopyFormat format, Loading loading) {
  std::vector<std::string_view> options;
  if (format == CopyFormat::kBinary) options.emplace_back("FORMAT binary");
  if (loading == Loading::kFreeze) options.emplace_back("FREEZE");
  return options.empty() ? "" : fmt::format(" WITH ({})", fmt::join(options, ", "));
}

// An extension's condition stands where no range does.
std::string where(const schema::Relation& table, const std::string& range) {
  return range.empty() ? table.extension_condition.value_or("") : "WHERE " + range;
}

}  // namespace

std::string copy_out_statement(const schema::Relation& table, CopyFormat format, const std::string& range) {
  const std::string columns = column_list(table);
  const std::string with = options(format, Loading::kAppend);
  const std::string condition = where(table, range);
  if (condition.empty()) return fmt::format("COPY {}{} TO STDOUT{}", table.quoted(), in_parentheses(columns), with);
  return fmt::format("COPY (SELECT {} FROM ONLY {} {}) TO STDOUT{}", columns, table.quoted(), condition, with);
}

std::string copy_out_of_tree_statement(const schema::Relation& table, CopyFormat format) {
  if (table.kind != schema::RelationKind::kPartitionedTable) return copy_out_statement(table, format, "");
  return fmt::format("COPY (SELECT {} FROM {}) TO STDOUT{}", column_list(table), table.quoted(),
                     options(format, Loading::kAppend));
}

std::string generated_columns_statement(const schema::Relation& table, const std::string& range) {
  std::string list;
  for (const std::string& column : table.generated_columns) {
    list += (list.empty() ? "" : ", ") + pg::quote_identifier(column);
  }
  const bool has_children = table.kind == schema::RelationKind::kPartitionedTable;
  return fmt::format("COPY (SELECT {} FROM {}{}{}{}) TO STDOUT", list, has_children ? "" : "ONLY ", table.quoted(),
                     range.empty() ? "" : " WHERE ", range);
}

std::string count_statement(const schema::Relation& table, const std::string& range, const std::string& condition) {
  return fmt::format("SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE {}) FROM ONLY {} {}", condition,
                     table.quoted(), where(table, range));
}

std::string copy_in_statement(const schema::Relation& table, const schema::Relation& into, CopyFormat format,
                              Loading loading) {
  const std::string copy = fmt::format("COPY {}{} FROM STDIN{}", into.quoted(), in_parentheses(column_list(table)),
                                       options(format, loading));
  if (loading != Loading::kFreeze) return copy;
  // The lock first: rows that another session has inserted since the table was looked at are not ours to truncate. The
  // cast of a text fails, in any server and without a language, where there is a row.
  return fmt::format(
      "LOCK TABLE ONLY {0} IN ACCESS EXCLUSIVE MODE;"
      " SELECT (one.is || '{1}')::pg_catalog.int4 FROM (SELECT ''::pg_catalog.text AS is FROM ONLY {0} LIMIT 1) one;"
      " TRUNCATE ONLY {0}; {2}",
      into.quoted(), kRowsOfOthers, copy);
}

}  // namespace pgsluice::copy
