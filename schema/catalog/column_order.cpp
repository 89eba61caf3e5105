#include "schema/catalog/column_order.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "pg/quote.h"
#include "pg/version.h"

namespace pgsluice::schema {

namespace {

// Every column of inheritance trees, children and parents alike.
std::string columns_sql(int version) {
  return fmt::format(
      R"(
SELECT a.attrelid, a.attname, a.attislocal, {not_null},
       pg_catalog.format('%I %s%s%s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
         CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
              THEN (SELECT pg_catalog.format(' COLLATE %I.%I', n.nspname, l.collname) FROM pg_catalog.pg_collation l
                      JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = a.attcollation) END,
         {generated}), {inherits_not_null}
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid {not_nulls}
       JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
 WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped {whole}
   AND c.oid IN (SELECT inhrelid FROM pg_catalog.pg_inherits UNION SELECT inhparent FROM pg_catalog.pg_inherits)
 ORDER BY a.attrelid, a.attnum)",
      fmt::arg("generated", version < pg::since::kGeneratedColumns ? "NULL" : R"(
         CASE WHEN a.attgenerated <> ''
              THEN (SELECT pg_catalog.format(' GENERATED ALWAYS AS (%s)%s', pg_catalog.pg_get_expr(d.adbin, d.adrelid),
                                             CASE a.attgenerated WHEN 's' THEN ' STORED' END)
                      FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END)"),
      fmt::arg("not_null", version < pg::since::kNotNullConstraints
                               ? "CASE WHEN a.attnotnull THEN 'NOT NULL' END"
                               : "CASE WHEN k.convalidated THEN"
                                 " pg_catalog.format('CONSTRAINT %I NOT NULL', k.conname) END"),
      fmt::arg("inherits_not_null", version < pg::since::kNotNullConstraints ? "NOT a.attislocal" : "NOT k.conislocal"),
      fmt::arg("not_nulls", version < pg::since::kNotNullConstraints
                                ? ""
                                : "LEFT JOIN pg_catalog.pg_constraint k ON k.conrelid = a.attrelid"
                                  " AND k.contype = 'n' AND k.conkey[1] = a.attnum"),
      fmt::arg("whole", version < pg::since::kPartitions ? "" : "AND NOT c.relispartition"));
}

constexpr std::string_view kParentsSql =
    "SELECT i.inhrelid, i.inhparent, i.inhparent::pg_catalog.regclass::text FROM pg_catalog.pg_inherits i"
    " JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_class p ON p.oid = i.inhparent"
    " WHERE c.relkind = 'r' AND p.relkind = 'r' ORDER BY i.inhrelid, i.inhseqno";

// Constraints that no table above has NOT VALID: such a one is added after the rows, and goes down the tree by itself.
constexpr std::string_view kInheritedChecksSql =
    "WITH RECURSIVE above(child, parent) AS (SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits"
    " UNION SELECT a.child, i.inhparent FROM above a JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.parent)"
    " SELECT k.conrelid, k.conname, pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k"
    " WHERE k.contype = 'c' AND NOT k.conislocal AND k.convalidated AND k.conrelid <> 0"
    " AND NOT EXISTS (SELECT FROM above a JOIN pg_catalog.pg_constraint p ON p.conrelid = a.parent"
    "                  WHERE a.child = k.conrelid AND p.contype = 'c' AND p.conname = k.conname AND NOT p.convalidated)"
    " ORDER BY k.conrelid, k.conname";

// As CREATE TABLE … INHERITS puts them: the parents' columns, then the table's own.
std::vector<std::string> natural_order(const OwnColumnOrder& table, const std::vector<Oid>& parents,
                                       const std::map<Oid, OwnColumnOrder>& tables) {
  std::vector<std::string> order;
  std::set<std::string> seen;
  const auto add = [&](const OwnColumnOrder& from) {
    for (const OwnColumnOrder::Column& column : from.columns) {
      if (seen.insert(column.name).second) order.push_back(column.name);
    }
  };
  for (const Oid parent : parents) {
    if (const auto found = tables.find(parent); found != tables.end()) add(found->second);
  }
  add(table);
  return order;
}

// Where a text in parentheses that begins before `from` ends: the position of its closing one; npos where it does not.
// Separators at its own level are put into `commas`.
std::size_t closing_parenthesis(std::string_view text, std::size_t from, std::vector<std::size_t>* commas = nullptr) {
  int depth = 1;
  char quote = 0;
  for (std::size_t at = from; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0 || c == '\'' || c == '"') {
      if (quote == 0) {
        quote = c;
      } else if (c == quote) {
        quote = 0;
      }
    } else if (c == '(') {
      ++depth;
    } else if (c == ')' && --depth == 0) {
      return at;
    } else if (c == ',' && depth == 1 && commas != nullptr) {
      commas->push_back(at);
    }
  }
  return std::string_view::npos;
}

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \n") - first + 1));
}

// The declared columns by name, and the rest: constraints.
struct Items {
  std::map<std::string, std::string> columns;
  std::vector<std::string> constraints;
};

Items items_of(std::string_view list, const std::vector<std::size_t>& commas, std::size_t offset,
               const OwnColumnOrder& order) {
  Items items;
  std::size_t begin = 0;
  const auto add = [&](std::size_t end) {
    const std::string item = trimmed(list.substr(begin, end - begin));
    begin = end + 1;
    if (item.empty()) return;
    for (const OwnColumnOrder::Column& column : order.columns) {
      const bool is_it =
          item.starts_with(column.name + " ") || item.starts_with(pg::quote_identifier(column.name) + " ");
      if (!is_it || items.columns.contains(column.name)) continue;
      items.columns[column.name] = item;
      return;
    }
    items.constraints.push_back(item);
  };
  for (const std::size_t comma : commas) add(comma - offset);
  add(list.size());
  return items;
}

// Marks columns and constraints declared by the parents only as inherited, the way pg_dump --binary-upgrade does.
std::string mark_as_inherited(const std::string& table, const OwnColumnOrder& order, const Items& items) {
  std::vector<std::string> columns;
  std::vector<std::string> checks;
  std::vector<std::string> inherited_not_nulls;
  for (const OwnColumnOrder::Column& column : order.columns) {
    if (!column.local && !items.columns.contains(column.name)) columns.push_back(pg::quote_literal(column.name));
    if (column.inherits_not_null && !column.not_null.empty()) {
      inherited_not_nulls.push_back(pg::quote_literal(column.name));
    }
  }
  for (const auto& [name, check] : order.inherited_checks) checks.push_back(pg::quote_literal(name));
  if (columns.empty() && checks.empty() && inherited_not_nulls.empty()) return "";
  const std::string of_table = fmt::format("{}::pg_catalog.regclass", pg::quote_literal(table));
  const std::string own_columns =
      fmt::format("attrelid = {} AND attname = ANY (ARRAY[{}]::text[])", of_table, fmt::join(columns, ", "));
  // A constraint from 18 on.
  const std::string not_nulls = fmt::format(
      " OR contype = 'n' AND conkey[1] IN (SELECT attnum FROM pg_catalog.pg_attribute WHERE attrelid = {} AND attname ="
      " ANY (ARRAY[{}]::text[]))",
      of_table, fmt::join(inherited_not_nulls, ", "));
  return fmt::format(
      "DO $pgsluice$ BEGIN IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN"
      " UPDATE pg_catalog.pg_attribute SET attislocal = false WHERE {};"
      " UPDATE pg_catalog.pg_constraint SET conislocal = false WHERE conrelid = {} AND coninhcount > 0"
      " AND (contype = 'c' AND conname = ANY (ARRAY[{}]::text[]){}); END IF; END $pgsluice$;\n",
      own_columns, of_table, fmt::join(checks, ", "), not_nulls);
}

}  // namespace

std::map<Oid, OwnColumnOrder> read_own_column_orders(pg::Connection& source) {
  std::map<Oid, OwnColumnOrder> tables;
  std::map<Oid, std::vector<Oid>> parents;
  for (const pg::Row row : source.execute(kParentsSql)) {
    parents[row.oid(0)].push_back(row.oid(1));
    tables[row.oid(0)].parents.emplace_back(row.text(2));
  }
  if (parents.empty()) return {};
  for (const pg::Row row : source.execute(columns_sql(source.server_version()))) {
    tables[row.oid(0)].columns.push_back({.name = std::string(row.text(1)),
                                          .local = row.boolean(2),
                                          .not_null = row.optional_text(3).value_or(""),
                                          .inherits_not_null = row.optional_text(5) == "t",
                                          .definition = std::string(row.text(4))});
  }
  for (const pg::Row row : source.execute(kInheritedChecksSql)) {
    if (const auto found = tables.find(row.oid(0)); found != tables.end())
      found->second.inherited_checks.emplace(row.text(1), row.text(2));
  }
  std::map<Oid, OwnColumnOrder> result;
  for (const auto& [oid, above] : parents) {
    const OwnColumnOrder& table = tables[oid];
    std::vector<std::string> names;
    for (const OwnColumnOrder::Column& column : table.columns) names.push_back(column.name);
    if (natural_order(table, above, tables) != names) result[oid] = table;
  }
  return result;
}

std::optional<std::string> definition_in_own_order(const std::string& definition, const OwnColumnOrder& order) {
  const std::size_t open = definition.find(" (\n");
  const std::size_t create = definition.find("TABLE ");
  if (open == std::string::npos || create == std::string::npos || create > open) return std::nullopt;
  const std::string table = definition.substr(create + 6, open - create - 6);
  std::vector<std::size_t> commas;
  const std::size_t begin = open + 2;
  const std::size_t end = closing_parenthesis(definition, begin, &commas);
  constexpr std::string_view kInherits = ")\nINHERITS (";
  if (end == std::string::npos || definition.compare(end, kInherits.size(), kInherits) != 0) return std::nullopt;
  const std::size_t inherits_end = closing_parenthesis(definition, end + kInherits.size());
  if (inherits_end == std::string::npos) return std::nullopt;

  Items items = items_of(std::string_view(definition).substr(begin, end - begin), commas, begin, order);
  std::string list;
  const auto add = [&](const std::string& item) { list += (list.empty() ? "\n    " : ",\n    ") + item; };
  for (const OwnColumnOrder::Column& column : order.columns) {
    const auto declared = items.columns.find(column.name);
    const std::string& text = declared == items.columns.end() ? column.definition : declared->second;
    const bool lacks_not_null = !column.not_null.empty() && text.find(" NOT NULL") == std::string::npos;
    add(lacks_not_null ? text + " " + column.not_null : text);
  }
  for (const std::string& constraint : items.constraints) add(constraint);
  for (const auto& [name, check] : order.inherited_checks) {
    add(fmt::format("CONSTRAINT {} {}", pg::quote_identifier(name), check));
  }
  // The rest of the statement, and then those that follow it.
  const std::size_t statement_end = definition.find(";\n", inherits_end);
  if (statement_end == std::string::npos) return std::nullopt;
  std::string result = definition.substr(0, begin) + list + "\n)" +
                       definition.substr(inherits_end + 1, statement_end + 2 - inherits_end - 1);
  for (const std::string& parent : order.parents)
    result += fmt::format("ALTER TABLE ONLY {} INHERIT {};\n", table, parent);
  result += mark_as_inherited(table, order, items);
  return result + definition.substr(statement_end + 2);
}

void keep_column_orders(const std::map<Oid, OwnColumnOrder>& orders, Archive& archive) {
  for (TocEntry& entry : archive.entries) {
    if (entry.kind != EntryKind::kTable || entry.catalog_id.table != kPgClass) continue;
    const auto order = orders.find(entry.catalog_id.oid);
    if (order == orders.end()) continue;
    if (std::optional<std::string> definition = definition_in_own_order(entry.definition, order->second)) {
      entry.definition = std::move(*definition);
    }
  }
}

}  // namespace pgsluice::schema
