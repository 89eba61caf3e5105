#include "pgsluice/copy/copy_statement.h"

#include <fmt/format.h>

#include "pgsluice/pg/quote.h"

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

}  // namespace

std::string copy_out_statement(const schema::Relation& table) {
  const std::string columns = column_list(table);
  if (table.extension_condition && !table.extension_condition->empty()) {
    return fmt::format("COPY (SELECT {} FROM ONLY {} {}) TO STDOUT", columns, table.quoted(),
                       *table.extension_condition);
  }
  return fmt::format("COPY {}{} TO STDOUT", table.quoted(), in_parentheses(columns));
}

std::string copy_in_statement(const schema::Relation& table, const schema::Relation& into) {
  return fmt::format("COPY {}{} FROM STDIN", into.quoted(), in_parentheses(column_list(table)));
}

}  // namespace pgsluice::copy
