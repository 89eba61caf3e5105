#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// An object that a filter's entry can name.
struct NamedObject {
  Oid oid = 0;
  Oid schema_oid = 0;
  std::string schema;
  std::string name;
  char kind = 0;  ///< pg_class.relkind; 0 for schemas and extensions

  bool is_index() const { return kind == 'i' || kind == 'I'; }
  bool is_sequence() const { return kind == 'S'; }
  /// True for tables of every sort and materialized views.
  bool has_rows() const { return kind == 'r' || kind == 'p' || kind == 'm' || kind == 'f'; }
};

/// The names of a database's own objects, to which the rules of a filter are applied. Read-only once made; any thread.
struct ObjectNames {
  std::vector<NamedObject> schemas;
  std::vector<NamedObject> relations;
  std::vector<NamedObject> extensions;
  std::multimap<Oid, Oid> parents;     ///< by the child, of tables and of indexes
  std::multimap<Oid, Oid> partitions;  ///< by the parent
  /// Constraints that CREATE TABLE and CREATE DOMAIN write themselves.
  std::set<Oid> inline_constraints;

  /// Adds a relation and all that it inherits from, directly or not.
  void add_with_parents(Oid relation, std::set<Oid>& to) const;
  /// Adds a relation and its partitions, directly or not.
  void add_with_partitions(Oid relation, std::set<Oid>& to) const;
};

/// Reads the names in the connection's transaction. Throws Error(kServer).
ObjectNames read_object_names(pg::Connection& source);

}  // namespace pgsluice::schema
