#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// An inheritance child whose columns stand in another order than CREATE TABLE … INHERITS would give them: the parents'
/// columns first. It was made by itself and attached later, or a parent has grown since. Statements that name no
/// columns (INSERT without a list, SELECT *) depend on the order, and pg_dump does not keep it.
struct OwnColumnOrder {
  struct Column {
    std::string name;
    bool local = false;  ///< declared in the child itself: pg_dump writes it there
    /// "CONSTRAINT name NOT NULL", from 18 on, or "NOT NULL": pg_dump leaves it to the parents where they say so too.
    /// Empty also where it is NOT VALID: that comes down the tree after the rows.
    std::string not_null = {};
    bool inherits_not_null = false;  ///< only the parents declare it
    std::string
        definition;  ///< of one that is not local, without NOT NULL, and its default, which pg_dump writes apart
  };
  std::vector<Column> columns;  ///< in their order
  /// "CHECK (…)" that only the parents declare, by name.
  std::map<std::string, std::string> inherited_checks;
  std::vector<std::string> parents;  ///< for SQL
};

/// Reads the tables of the database that need it, by OID. The session has an empty search path. Throws Error(kServer).
std::map<Oid, OwnColumnOrder> read_own_column_orders(pg::Connection& source);

/// The definition of an archive's entry that makes such a table by itself, with its columns in their order, and then
/// attaches it to its parents. A superuser's session marks what only the parents declare as inherited, as it was on the
/// source, so that it goes when the parents drop it; for others it is the child's own as well, since SQL cannot say
/// otherwise. nullopt where the definition is not of the form that pg_dump writes.
std::optional<std::string> definition_in_own_order(const std::string& definition, const OwnColumnOrder& order);

/// Changes the entries of an archive that make such tables.
void keep_column_orders(const std::map<Oid, OwnColumnOrder>& orders, Archive& archive);

}  // namespace pgsluice::schema
