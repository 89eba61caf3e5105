#pragma once

#include <map>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pgsluice/bytes.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// Lists what a server has, for people to see; copies do not use it. Each function throws Error(kServer).

struct ListedDatabase {
  Oid oid = 0;
  std::string name;
  Bytes size;  ///< 0 where this user may not know it
};
/// Returns the databases that can be cloned (no templates, open to connections), the largest first.
std::vector<ListedDatabase> list_databases(pg::Connection& connection);

struct ListedExtension {
  Oid oid = 0;
  std::string name;
  std::string schema;
  std::string version;
};
/// The database's own, by name.
std::vector<ListedExtension> list_extensions(pg::Connection& connection);

struct AvailableExtension {
  std::string name;
  std::string version;
};
/// All that the server could make, by name: the versions that it has by default, or each version.
enum class Versions { kDefault, kAll };
std::vector<AvailableExtension> list_available_extensions(pg::Connection& connection, Versions versions);

struct ListedColumn {
  Oid table = 0;
  int number = 0;
  Oid type = 0;
  std::string name;
  bool primary = false;    ///< of the primary key
  bool generated = false;  ///< stored, or computed when it is read
};
/// Returns one for each of the user's tables, in their order.
std::vector<ListedColumn> list_columns(pg::Connection& connection);

struct ListedOwner {
  Oid relation = 0;
  std::string name;
};
std::vector<ListedOwner> list_owners(pg::Connection& connection);

struct ListedIndexDetails {
  bool unique = false;
  std::string columns;     ///< "a,b", without expressions
  std::string constraint;  ///< "PRIMARY KEY (a)"; empty for a plain index
};
std::map<Oid, ListedIndexDetails> list_index_details(pg::Connection& connection);

struct ListedCollation {
  Oid oid = 0;  ///< 0: the database's own
  std::string name;
  std::string object;  ///< "database shop", "column public.t.name", "index public.i"
};
/// The database's collation, then each other one that a column or an index of the user's is ordered by.
std::vector<ListedCollation> list_collations(pg::Connection& connection);

}  // namespace pgsluice::schema
