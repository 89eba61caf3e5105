#pragma once

#include <map>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// The type of a column, or a type that it is built from.
struct ColumnType {
  enum class Form { kScalar, kEnum, kDomain, kArray, kRange, kComposite };
  std::string name;  ///< as SQL writes it: "timestamp with time zone", "app.mood"
  Form form = Form::kScalar;
  /// True for PostgreSQL's own types: their OID and name are the same on every server that has the type.
  bool built_in = false;
  /// The base type of a domain, or the element type of an array.
  Oid base = 0;
};

using ColumnTypes = std::map<Oid, ColumnType>;

/// The types of all columns of the user's tables, with what they are built from. Runs one query.
ColumnTypes read_column_types(pg::Connection& source);

/// True if a column of one of these types may hold values of type money, by itself or in a composite.
bool may_hold_money(const ColumnTypes& types, const std::vector<Oid>& columns);

}  // namespace pgsluice::schema
