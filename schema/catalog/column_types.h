#pragma once

#include <map>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// A type of columns, or what one of these is made of.
struct ColumnType {
  enum class Form { kScalar, kEnum, kDomain, kArray, kRange, kComposite };
  std::string name;  ///< as SQL writes it: "timestamp with time zone", "app.mood"
  Form form = Form::kScalar;
  /// True for PostgreSQL's own types: their OID and name are the same on every server that has it.
  bool built_in = false;
  /// What a domain is of, an array's elements.
  Oid base = 0;
};

using ColumnTypes = std::map<Oid, ColumnType>;

/// The types of all columns of the user's tables, with what they are made of. One query.
ColumnTypes read_column_types(pg::Connection& source);

/// True if a column of one of these types may hold values of type money, by itself or in a composite.
bool may_hold_money(const ColumnTypes& types, const std::vector<Oid>& columns);

}  // namespace pgsluice::schema
