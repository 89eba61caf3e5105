#include "schema/catalog/column_types.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace pgsluice::schema {

namespace {

// A true array is some type's array: names, points and oidvector have elements too, but not an array's form.
constexpr std::string_view kTypesSql = R"(
WITH RECURSIVE used(oid) AS (
  SELECT a.atttypid FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
   WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND c.oid >= 16384
  UNION
  SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
    FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.oid
   WHERE t.typtype = 'd' OR (t.typelem <> 0 AND t.typlen = -1))
SELECT t.oid, pg_catalog.format_type(t.oid, NULL),
       CASE WHEN t.typtype = 'b' AND EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid) THEN 'a'
            ELSE t.typtype::text END,
       t.oid < 16384 AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace,
       CASE WHEN t.typtype = 'd' THEN t.typbasetype WHEN t.typlen = -1 THEN t.typelem ELSE 0 END
  FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.oid)";

ColumnType::Form form_of(char letter) {
  using Form = ColumnType::Form;
  constexpr std::array<std::pair<char, Form>, 6> kForms = {{{'a', Form::kArray},
                                                            {'e', Form::kEnum},
                                                            {'d', Form::kDomain},
                                                            {'c', Form::kComposite},
                                                            {'r', Form::kRange},
                                                            {'m', Form::kRange}}};
  for (const auto& [known, form] : kForms) {
    if (known == letter) return form;
  }
  return Form::kScalar;
}

}  // namespace

ColumnTypes read_column_types(pg::Connection& source) {
  ColumnTypes types;
  for (const pg::Row row : source.execute(kTypesSql)) {
    types[row.oid(0)] = {.name = std::string(row.text(1)),
                         .form = form_of(row.text(2).front()),
                         .built_in = row.boolean(3),
                         .base = row.oid(4)};
  }
  return types;
}

bool may_hold_money(const ColumnTypes& types, const std::vector<Oid>& columns) {
  return std::any_of(columns.begin(), columns.end(), [&](Oid column) {
    auto found = types.find(column);
    while (found != types.end() && found->second.base != 0) found = types.find(found->second.base);
    if (found == types.end()) return true;
    const ColumnType& type = found->second;
    return type.name == "money" || type.form == ColumnType::Form::kComposite;
  });
}

}  // namespace pgsluice::schema
