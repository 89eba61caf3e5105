#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pgsluice/bytes.h"
#include "schema/archive/archive.h"
#include "schema/catalog/column_order.h"
#include "schema/catalog/column_types.h"
#include "schema/catalog/expression_settings.h"
#include "schema/catalog/extension_care.h"
#include "schema/catalog/extension_members.h"
#include "schema/catalog/extension_tables.h"

namespace pgsluice::schema {

/// The database as a whole.
struct DatabaseInfo {
  Oid oid = 0;
  std::string name;
  std::string encoding;
  std::string collate;
  std::string ctype;
  std::string owner;
  Bytes size;
  char locale_provider = 'c';  ///< c: the C library, i: ICU (from 15 on), b: PostgreSQL itself (from 17 on)
  std::string locale;          ///< of ICU or of PostgreSQL itself
  std::string icu_rules;       ///< from 16 on
  /// The version of the library that sorts, as it is on the server; empty where it is not told. No archive has it.
  std::string collation_version = {};

  /// Encoding, provider, locale and rules, for people.
  std::string describe() const;
};

/// A setting of ordering or letter case in which the two differ: "collation of the database: C on the source, …".
/// Other spellings of one locale's encoding are no difference.
std::vector<std::string> differences_of(const DatabaseInfo& source, const DatabaseInfo& target);

enum class RelationKind { kTable, kPartitionedTable, kForeignTable, kMaterializedView };

/// Something that has rows, or whose parts have.
struct Relation {
  Oid oid = 0;
  std::string schema;
  std::string name;
  RelationKind kind = RelationKind::kTable;
  bool unlogged = false;
  std::string access_method;                   ///< empty where there is none (and before 12: "heap")
  std::vector<std::string> columns;            ///< the ones that COPY carries: neither dropped nor generated
  std::vector<Oid> column_types;               ///< of these, in their order
  std::vector<std::string> generated_columns;  ///< stored ones, which each server computes by itself
  std::vector<Oid> generated_types;
  bool populated = true;  ///< of a materialized view
  Oid file_node = 0;      ///< as the snapshot sees it; 0 for mapped catalogs and what has no storage
  Bytes heap_size;
  Bytes toast_size;
  double estimated_rows = 0;
  /// An extension's configuration table: its data is the user's. The condition is "" or "WHERE …".
  std::optional<std::string> extension_condition;
  /// False if only the target's extension can tell the condition, once it is there: an archive of pg_dump's names none.
  bool is_extension_condition_known = true;
  /// The partitioned table that takes this leaf's rows in its place: where the leaf is chosen by a hash that is not
  /// the same on the target (of an enum's values). 0: rows go into this table.
  Oid load_via_root = 0;
  /// Like load_via_root, for a leaf that is chosen by a range of a key in a collation, which may sort in another way on
  /// the target (collations.h): 0 where no such key is.
  Oid collation_sensitive_root = 0;
  bool may_select = true;
  bool row_security_applies = false;
  /// Its statistics, or one of its indexes, call functions of the user's, which may read other tables.
  bool statistics_call_functions = false;
  /// True if a condition on its rows calls functions of the user's, whose bodies may name anything: a CHECK, a domain,
  /// a generated column, a partition's key.
  bool rows_call_functions = false;
  /// Their sources, of those that may read tables.
  std::vector<std::string> bodies_of_row_functions;
  /// Values in it name indexes (regclass_values.h).
  bool names_indexes = false;
  /// True if its rows are copied, or the view filled; not where a filter leaves them out (selection.h).
  bool rows_wanted = true;
  /// A column of integers that tells each row from all others, for cutting the table into ranges; empty: none.
  std::string integer_key;

  Bytes size() const { return {heap_size.count + toast_size.count}; }
  std::string quoted() const;   ///< for SQL
  std::string display() const;  ///< for people
};

/// An index, and the constraint that it is of, if any.
struct Index {
  Oid oid = 0;
  Oid table = 0;
  std::string schema;
  std::string name;
  std::string definition;  ///< pg_get_indexdef
  bool valid = true;
  Bytes size;

  Oid constraint = 0;  ///< 0 for a plain index
  std::string constraint_name;
  char constraint_type = 0;  ///< p, u, x
  bool deferrable = false;
  bool deferred = false;
  bool without_overlaps = false;
  bool on_partitioned_table = false;
  bool clustered = false;
  bool replica_identity = false;
  /// True if it has expressions, of which ANALYZE gathers statistics. No archive tells it.
  bool has_expressions = false;
  /// Functions of the user's, which may read other tables.
  bool calls_functions = false;
  std::vector<std::string> extensions;  ///< ALTER INDEX … DEPENDS ON EXTENSION
  /// False too for one of a partitioned table that lacks some of its partitions' indexes: it is made all the same.
  bool complete = true;

  std::string display() const;
};

/// A partitioned table's foreign key on one of its leaves.
struct LeafForeignKey {
  Oid child = 0;
  std::string name;
  std::string definition;  ///< pg_get_constraintdef
};

struct ForeignKey {
  Oid oid = 0;
  std::string name;
  Oid child = 0;
  Oid parent = 0;
  std::vector<std::string> child_columns;
  std::vector<std::string> parent_columns;
  /// One operator for each pair of columns, the parent's on the left: "OPERATOR(pg_catalog.=)".
  std::vector<std::string> equalities;
  /// Validated on the source, and of a kind that can be added without validation first.
  bool validated_apart = false;
  bool match_full = false;
  /// Validated on the source, of a plain table to a partitioned one: VALIDATE leaves its parts for the partitions
  /// unvalidated before 18, so it is made as it is, and NOT VALID only if rows have no parent.
  bool to_partitioned = false;
  /// The leaves of a partitioned child that is validated apart; each is validated by itself.
  std::vector<LeafForeignKey> leaves;
};

/// A partition or inheritance child and what it belongs to.
struct Inheritance {
  Oid child = 0;
  Oid parent = 0;
};

struct Trigger {
  Oid oid = 0;
  Oid table = 0;
  Oid parent = 0;  ///< the partitioned table's trigger that this one of a partition was made by; 0: none
};

struct Sequence {
  Oid oid = 0;
  std::string schema;
  std::string name;
  bool may_select = true;

  std::string display() const;
};

/// A role that an object of this database needs, and for what.
struct RoleUse {
  std::string name;
  CatalogId object;  ///< 0/0: none in particular
  bool owns = false;
  bool is_granted = false;
  /// Named by a policy, a user mapping or a setting of the role in this database.
  bool is_named = false;
};

/// The database's extensions with the schema of each.
std::map<std::string, std::string, std::less<>> read_extensions(pg::Connection& connection);

/// The contents of the source, as one snapshot sees them. Read-only after read_catalog(); any thread.
struct Catalog {
  int server_version = 0;
  /// Date and time values are integers in binary, as on every server from 10 on.
  bool integer_datetimes = true;
  Bytes block_size{8192};
  DatabaseInfo database;
  ExpressionSettings expression_settings;
  /// The search path that the database gives to its users.
  std::string search_path;
  std::vector<Relation> relations;
  ColumnTypes types;
  std::vector<Index> indexes;
  std::vector<ForeignKey> foreign_keys;  ///< without the ones that partitions inherit
  std::vector<Inheritance> inheritance;
  std::vector<Trigger> triggers;  ///< without those that enforce foreign keys
  std::vector<Sequence> sequences;
  std::map<std::string, std::string, std::less<>> extensions;  ///< with the schema of each
  std::vector<RoleUse> roles;
  std::vector<DistributedTable> distributed;
  /// User mappings whose options this user may not see: "of app for server s".
  std::vector<std::string> hidden_user_mappings;
  /// Roles that have privileges and are no more (lost_roles.h).
  std::set<std::string> lost_roles;
  /// Objects on tables of extensions, some of which are users'.
  std::vector<ExtensionTableObject> extension_table_objects;
  std::vector<ExtensionMember> extension_members;
  std::int64_t large_objects = 0;
  /// For inheritance children that CREATE TABLE … INHERITS would order otherwise.
  std::map<Oid, OwnColumnOrder> own_column_orders;

  const Relation* relation(Oid oid) const;
  bool has_unlogged_tables() const;
};

/// Reads it in a transaction that the caller has begun, in a fixed number of queries, and one more for each table with
/// a column of type regclass (regclass_values.h). Throws Error(kServer).
Catalog read_catalog(pg::Connection& source);

/// The database of a connection alone.
DatabaseInfo read_database_info(pg::Connection& connection);

/// Locks tables in ACCESS SHARE in the connection's transaction and then checks that none was truncated or rewritten
/// since the snapshot was taken: such a table would read as empty without an error.
/// Throws Error(kState) that names the tables.
void lock_tables(pg::Connection& holder, const std::vector<const Relation*>& tables);

}  // namespace pgsluice::schema
