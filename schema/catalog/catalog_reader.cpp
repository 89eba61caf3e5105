#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "pg/quote.h"
#include "pg/version.h"
#include "pgsluice/error.h"
#include "schema/catalog/catalog.h"
#include "schema/catalog/catalog_sql.h"
#include "schema/catalog/function_calls.h"
#include "schema/catalog/lost_roles.h"
#include "schema/catalog/regclass_values.h"

namespace pgsluice::schema {

namespace {

// Schemas of the user, for a pg_namespace named n.

std::string not_of_extension(std::string_view catalog, std::string_view oid) {
  return fmt::format(
      "NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.{}'::pg_catalog.regclass"
      " AND e.objid = {} AND e.deptype = 'e')",
      catalog, oid);
}

// Columns of a pg_class named c that are generated and stored.
std::string stored_columns(std::string_view what, std::string_view type) {
  return fmt::format(
      "coalesce((SELECT pg_catalog.array_agg(a.{0} ORDER BY a.attnum) FROM pg_catalog.pg_attribute a"
      " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = 's'), '{{}}'::{1}[])",
      what, type);
}

// Tables with rows, their parents, and what is filled from them. Of an extension's own tables only those count that it
// has marked as configuration. Hash partitions of a key with an enum in it are named with their topmost parent, since
// the hash is of the enum value's OID, which is another one on the target; so are those of a text that is compared in a
// nondeterministic collation, whose hash is of a sort key that each release of ICU makes in its own way.
std::string relations_sql(int version) {
  const bool methods = version >= pg::since::kTableAccessMethods;
  const std::string_view collated = version < pg::since::kNondeterministicCollations ? "" : R"( OR EXISTS (
               SELECT FROM pg_catalog.pg_partitioned_table p
                      JOIN pg_catalog.pg_collation l ON l.oid = ANY (p.partcollation::oid[])
                WHERE p.partrelid = tree.oid AND p.partstrat = 'h' AND NOT l.collisdeterministic))";
  const std::string leaves = version < pg::since::kConstraintParent
                                 ? "SELECT NULL::oid AS leaf, NULL::oid AS hashed_root, NULL::oid AS sorted_root"
                                 : fmt::format(R"(
    WITH RECURSIVE tree(oid, root, hashed, sorted) AS (
      SELECT c.oid, c.oid, false, false FROM pg_catalog.pg_class c WHERE c.relkind = 'p' AND NOT c.relispartition
      UNION ALL
      SELECT i.inhrelid, tree.root,
             tree.hashed OR EXISTS (
               SELECT FROM pg_catalog.pg_partitioned_table p
                      JOIN pg_catalog.pg_opclass o ON o.oid = ANY (p.partclass::oid[])
                WHERE p.partrelid = tree.oid AND p.partstrat = 'h'
                  AND o.opcintype = 'pg_catalog.anyenum'::pg_catalog.regtype){collated},
             tree.sorted OR EXISTS (
               SELECT FROM pg_catalog.pg_partitioned_table p, pg_catalog.unnest(p.partcollation::oid[]) k
                WHERE p.partrelid = tree.oid AND p.partstrat = 'r' AND k NOT IN (0, 950, 951))
        FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid)
    SELECT oid AS leaf, CASE WHEN hashed THEN root END AS hashed_root, CASE WHEN sorted THEN root END AS sorted_root
      FROM tree WHERE hashed OR sorted)",
                                               fmt::arg("collated", collated));
  return fmt::format(R"(
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence = 'u', coalesce({method}, ''),
       coalesce((SELECT pg_catalog.array_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped {generated}), '{{}}'::name[]),
       coalesce((SELECT pg_catalog.array_agg(a.atttypid ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped {generated}), '{{}}'::oid[]),
       {stored_names}, {stored_types}, c.relispopulated,
       c.relfilenode,
       coalesce(CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) END, 0),
       coalesce(CASE WHEN c.reltoastrelid <> 0 THEN pg_catalog.pg_relation_size(c.reltoastrelid) END, 0),
       c.reltuples, x.condition, coalesce(h.hashed_root, 0), coalesce(h.sorted_root, 0),
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
       pg_catalog.row_security_active(c.oid),
       coalesce((SELECT pg_catalog.min(a.attname::text)
                   FROM pg_catalog.pg_index i
                        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indnatts = 1
                    AND i.indpred IS NULL
                    AND a.atttypid = ANY ('{{int2,int4,int8}}'::pg_catalog.regtype[]::oid[])), '')
  FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       {method_join}
       LEFT JOIN (SELECT pg_catalog.unnest(extconfig) AS oid, pg_catalog.unnest(extcondition) AS condition
                    FROM pg_catalog.pg_extension) x ON x.oid = c.oid
       LEFT JOIN ({leaves}) h ON h.leaf = c.oid AND c.relkind = 'r'
 WHERE c.relkind IN ('r', 'p', 'f', 'm') AND c.relpersistence <> 't' AND {user_schema}
   AND (x.oid IS NOT NULL OR {own})
 ORDER BY c.oid)",
                     fmt::arg("method", methods ? "am.amname::text" : "'heap'"),
                     fmt::arg("generated", methods ? "AND a.attgenerated = ''" : ""),
                     fmt::arg("stored_names", methods ? stored_columns("attname", "name") : "'{}'::name[]"),
                     fmt::arg("stored_types", methods ? stored_columns("atttypid", "oid") : "'{}'::oid[]"),
                     fmt::arg("method_join", methods ? "LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam" : ""),
                     fmt::arg("leaves", leaves), fmt::arg("user_schema", kUserSchema),
                     fmt::arg("own", not_of_extension("pg_class", "c.oid")));
}

std::string indexes_sql(int version) {
  return fmt::format(R"(
SELECT i.indexrelid, i.indrelid, n.nspname, c.relname, pg_catalog.pg_get_indexdef(i.indexrelid),
       (i.indisvalid OR t.relkind = 'p') AND i.indisready,
       coalesce(CASE WHEN c.relkind = 'i' THEN pg_catalog.pg_relation_size(c.oid) END, 0),
       coalesce(k.oid, 0), coalesce(k.conname, ''), coalesce(k.contype::text, ''),
       coalesce(k.condeferrable, false), coalesce(k.condeferred, false), {periods},
       t.relkind = 'p', i.indisclustered, i.indisreplident,
       ARRAY(SELECT e.extname FROM pg_catalog.pg_depend d
               JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
              WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'x'
              ORDER BY e.extname), i.indisvalid, i.indexprs IS NOT NULL
  FROM pg_catalog.pg_index i
       JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
       JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid
                                           AND k.contype IN ('p', 'u', 'x')
 WHERE t.relkind IN ('r', 'p', 'm') AND t.relpersistence <> 't' AND {user_schema} AND {own}
 ORDER BY i.indexrelid)",
                     fmt::arg("periods", version >= pg::since::kPeriods ? "coalesce(k.conperiod, false)" : "false"),
                     fmt::arg("user_schema", kUserSchema), fmt::arg("own", not_of_extension("pg_class", "t.oid")));
}

// A key that has to be validated apart from its making: valid on the source, and not of a partitioned parent, whose
// children NOT VALID would leave unvalidated.
std::string foreign_keys_sql(int version) {
  constexpr std::string_view kColumns =
      "ARRAY(SELECT a.attname FROM pg_catalog.unnest({0}key) WITH ORDINALITY u(attnum, n)"
      " JOIN pg_catalog.pg_attribute a ON a.attrelid = {0}relid AND a.attnum = u.attnum ORDER BY u.n)";
  return fmt::format(R"(
SELECT k.oid, k.conname, k.conrelid, k.confrelid, {child_columns}, {parent_columns},
       ARRAY(SELECT pg_catalog.format('OPERATOR(%I.%s)', s.nspname, o.oprname)
               FROM pg_catalog.unnest(k.conpfeqop) WITH ORDINALITY u(oid, n)
                    JOIN pg_catalog.pg_operator o ON o.oid = u.oid
                    JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace ORDER BY u.n),
       k.convalidated AND c.relkind IN ('r', 'p') AND p.relkind = 'r' AND {plain}, k.confmatchtype = 'f',
       k.convalidated AND c.relkind = 'r' AND p.relkind = 'p' AND {plain}
  FROM pg_catalog.pg_constraint k
       JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
       JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype = 'f' AND {own} AND {user_schema}
 ORDER BY k.oid)",
                     fmt::arg("child_columns", fmt::format(kColumns, "k.con")),
                     fmt::arg("parent_columns", fmt::format(kColumns, "k.conf")),
                     fmt::arg("plain", version >= pg::since::kPeriods ? "k.conenforced AND NOT k.conperiod" : "true"),
                     fmt::arg("own", version >= pg::since::kConstraintParent ? "k.conparentid = 0" : "true"),
                     fmt::arg("user_schema", kUserSchema));
}

// The keys of partitioned tables on their leaves: the topmost key, the leaf, and the leaf's own key.
constexpr std::string_view kLeafForeignKeysSql = R"(
WITH RECURSIVE below AS (
  SELECT k.oid AS top, k.oid FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
   WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relkind = 'p'
  UNION ALL
  SELECT b.top, k.oid FROM pg_catalog.pg_constraint k JOIN below b ON k.conparentid = b.oid WHERE k.contype = 'f')
SELECT b.top, k.conrelid, k.conname, pg_catalog.pg_get_constraintdef(k.oid)
  FROM below b JOIN pg_catalog.pg_constraint k ON k.oid = b.oid JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
 WHERE c.relkind = 'r'
 ORDER BY b.top, k.oid)";

void read_leaf_foreign_keys(pg::Connection& source, std::vector<ForeignKey>& keys) {
  std::map<Oid, ForeignKey*> by_oid;
  for (ForeignKey& key : keys) {
    if (key.validated_apart) by_oid[key.oid] = &key;
  }
  for (const pg::Row row : source.execute(kLeafForeignKeysSql)) {
    const auto found = by_oid.find(row.oid(0));
    if (found == by_oid.end()) continue;
    found->second->leaves.push_back(
        {.child = row.oid(1), .name = std::string(row.text(2)), .definition = std::string(row.text(3))});
  }
}

// The condition of the view pg_user_mappings, turned round: pg_dump gets such a mapping without its options.
constexpr std::string_view kHiddenUserMappingsSql = R"(
SELECT CASE WHEN m.umuser = 0 THEN 'PUBLIC' ELSE m.usename END || ' for server ' || m.srvname
  FROM pg_catalog.pg_user_mappings m JOIN pg_catalog.pg_foreign_server s ON s.oid = m.srvid
 WHERE NOT ((m.umuser <> 0 AND m.usename = current_user
             AND (pg_catalog.pg_has_role(s.srvowner, 'USAGE') OR pg_catalog.has_server_privilege(s.oid, 'USAGE')))
            OR (m.umuser = 0 AND pg_catalog.pg_has_role(s.srvowner, 'USAGE'))
            OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user))
 ORDER BY 1)";

// Which trigger a partition's one comes from stands in pg_trigger from 13 on, in pg_depend from 11 on.
constexpr std::string_view kTriggersSql = R"(
SELECT t.oid, t.tgrelid, coalesce(d.refobjid, 0)
  FROM pg_catalog.pg_trigger t
  LEFT JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND d.objid = t.oid
   AND d.refclassid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.oid = t.tgconstraint AND k.contype = 'f'))";

constexpr std::string_view kInheritanceSql =
    "SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class c ON c.oid = inhrelid"
    " WHERE c.relkind IN ('r', 'p', 'f') ORDER BY inhparent, inhseqno, inhrelid";

std::string sequences_sql() {
  return fmt::format(R"(
SELECT c.oid, n.nspname, c.relname,
       pg_catalog.has_sequence_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND {}
   AND ({} OR EXISTS (SELECT FROM pg_catalog.pg_extension x WHERE c.oid = ANY (x.extconfig)
             -- Of a column of a configuration table, whose rows are copied.
             OR EXISTS (SELECT FROM pg_catalog.pg_depend o WHERE o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                           AND o.objid = c.oid AND o.deptype IN ('a', 'i') AND o.refobjid = ANY (x.extconfig))))
 ORDER BY c.oid)",
                     kUserSchema, not_of_extension("pg_class", "c.oid"));
}

constexpr std::string_view kExtensionsSql =
    "SELECT e.extname, n.nspname FROM pg_catalog.pg_extension e"
    " JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1";

// Predefined roles are on every server that knows them; the ones below 16384 are made by initdb, and of those only the
// superuser owns anything: no dependency is recorded for it, but the archive's entries name it.
constexpr std::string_view kRolesSql = R"(
SELECT r.rolname, pg_catalog.bool_or(r.owns), pg_catalog.bool_or(r.granted), pg_catalog.bool_or(r.named),
       r.classid, r.objid FROM (
SELECT r.rolname, d.classid, d.objid, d.deptype = 'o' AND NOT m.named AS owns, d.deptype IN ('a', 'i') AS granted,
       d.deptype = 'r' OR m.named AS named
  FROM pg_catalog.pg_shdepend d
       JOIN pg_catalog.pg_database b ON b.datname = pg_catalog.current_database()
       JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid,
       LATERAL (SELECT d.classid = 'pg_catalog.pg_user_mapping'::pg_catalog.regclass AS named) m
 WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
   AND (d.dbid = b.oid OR (d.dbid = 0 AND d.classid = 'pg_catalog.pg_database'::pg_catalog.regclass
                           AND d.objid = b.oid))
   AND r.oid >= 16384
UNION ALL
SELECT r.rolname, 0::oid, 0::oid, false, false, true
  FROM pg_catalog.pg_db_role_setting s
       JOIN pg_catalog.pg_database b ON b.oid = s.setdatabase AND b.datname = pg_catalog.current_database()
       JOIN pg_catalog.pg_roles r ON r.oid = s.setrole) r
 GROUP BY 1, 5, 6 ORDER BY 1, 5, 6)";

constexpr std::string_view kLargeObjectsSql = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata";

RelationKind relation_kind(std::string_view relkind) {
  if (relkind == "p") return RelationKind::kPartitionedTable;
  if (relkind == "f") return RelationKind::kForeignTable;
  if (relkind == "m") return RelationKind::kMaterializedView;
  return RelationKind::kTable;
}

// Privileges and index definitions are of now, not of the snapshot: null for what was dropped meanwhile.
void refuse_dropped(const pg::Row& row, int column, std::string_view schema, std::string_view name) {
  if (!row.is_null(column)) return;
  throw Error(ErrorKind::kState, fmt::format("{} was dropped while the copy began", pg::display_name(schema, name)))
      .on(Side::kSource)
      .hint("stop what changes the source's tables, then run again");
}

std::vector<Oid> oid_array(const pg::Row& row, int column) {
  std::vector<Oid> oids;
  for (const std::string& text : row.text_array(column)) oids.push_back(static_cast<Oid>(std::stoul(text)));
  return oids;
}

Relation read_relation(const pg::Row& row) {
  refuse_dropped(row, 18, row.text(1), row.text(2));
  return {.oid = row.oid(0),
          .schema = std::string(row.text(1)),
          .name = std::string(row.text(2)),
          .kind = relation_kind(row.text(3)),
          .unlogged = row.boolean(4),
          .access_method = std::string(row.text(5)),
          .columns = row.text_array(6),
          .column_types = oid_array(row, 7),
          .generated_columns = row.text_array(8),
          .generated_types = oid_array(row, 9),
          .populated = row.boolean(10),
          .file_node = row.oid(11),
          .heap_size = {row.integer(12)},
          .toast_size = {row.integer(13)},
          .estimated_rows = row.real(14),
          .extension_condition = row.optional_text(15),
          .load_via_root = row.oid(16),
          .collation_sensitive_root = row.oid(17),
          .may_select = row.boolean(18),
          .row_security_applies = row.boolean(19),
          .integer_key = std::string(row.text(20))};
}

Index read_index(const pg::Row& row) {
  refuse_dropped(row, 4, row.text(2), row.text(3));
  const std::string_view type = row.text(9);
  return {.oid = row.oid(0),
          .table = row.oid(1),
          .schema = std::string(row.text(2)),
          .name = std::string(row.text(3)),
          .definition = std::string(row.text(4)),
          .valid = row.boolean(5),
          .size = {row.integer(6)},
          .constraint = row.oid(7),
          .constraint_name = std::string(row.text(8)),
          .constraint_type = type.empty() ? '\0' : type.front(),
          .deferrable = row.boolean(10),
          .deferred = row.boolean(11),
          .without_overlaps = row.boolean(12),
          .on_partitioned_table = row.boolean(13),
          .clustered = row.boolean(14),
          .replica_identity = row.boolean(15),
          .has_expressions = row.boolean(18),
          .extensions = row.text_array(16),
          .complete = row.boolean(17)};
}

}  // namespace

std::string Relation::quoted() const { return pg::quote_qualified(schema, name); }
std::string Relation::display() const { return pg::display_name(schema, name); }
std::string Index::display() const { return pg::display_name(schema, name); }
std::string Sequence::display() const { return pg::display_name(schema, name); }

const Relation* Catalog::relation(Oid oid) const {
  const auto found = std::lower_bound(relations.begin(), relations.end(), oid,
                                      [](const Relation& relation, Oid wanted) { return relation.oid < wanted; });
  return found != relations.end() && found->oid == oid ? &*found : nullptr;
}

bool Catalog::has_unlogged_tables() const {
  return std::any_of(relations.begin(), relations.end(), [](const Relation& relation) { return relation.unlogged; });
}

std::map<std::string, std::string, std::less<>> read_extensions(pg::Connection& connection) {
  std::map<std::string, std::string, std::less<>> result;
  for (const pg::Row row : connection.execute(kExtensionsSql)) result.emplace(row.text(0), row.text(1));
  return result;
}

Catalog read_catalog(pg::Connection& source) {
  Catalog catalog;
  catalog.server_version = source.server_version();
  const std::string integer_datetimes = source.parameter("integer_datetimes");
  catalog.integer_datetimes = integer_datetimes.empty() || integer_datetimes == "on";
  catalog.block_size = {source.execute("SELECT pg_catalog.current_setting('block_size')")[0].integer(0)};
  catalog.database = read_database_info(source);
  catalog.expression_settings = read_expression_settings(source);
  catalog.search_path = read_search_path(source);
  catalog.types = read_column_types(source);
  for (const pg::Row row : source.execute(relations_sql(catalog.server_version))) {
    catalog.relations.push_back(read_relation(row));
  }
  for (const pg::Row row : source.execute(indexes_sql(catalog.server_version))) {
    catalog.indexes.push_back(read_index(row));
  }
  for (const pg::Row row : source.execute(foreign_keys_sql(catalog.server_version))) {
    catalog.foreign_keys.push_back({.oid = row.oid(0),
                                    .name = std::string(row.text(1)),
                                    .child = row.oid(2),
                                    .parent = row.oid(3),
                                    .child_columns = row.text_array(4),
                                    .parent_columns = row.text_array(5),
                                    .equalities = row.text_array(6),
                                    .validated_apart = row.boolean(7),
                                    .match_full = row.boolean(8),
                                    .to_partitioned = row.boolean(9),
                                    .leaves = {}});
  }
  if (catalog.server_version >= pg::since::kConstraintParent) read_leaf_foreign_keys(source, catalog.foreign_keys);
  for (const pg::Row row : source.execute(kInheritanceSql)) {
    catalog.inheritance.push_back({.child = row.oid(0), .parent = row.oid(1)});
  }
  for (const pg::Row row : source.execute(kTriggersSql)) {
    catalog.triggers.push_back({.oid = row.oid(0), .table = row.oid(1), .parent = row.oid(2)});
  }
  for (const pg::Row row : source.execute(sequences_sql())) {
    refuse_dropped(row, 3, row.text(1), row.text(2));
    catalog.sequences.push_back({.oid = row.oid(0),
                                 .schema = std::string(row.text(1)),
                                 .name = std::string(row.text(2)),
                                 .may_select = row.boolean(3)});
  }
  catalog.extensions = read_extensions(source);
  if (catalog.extensions.contains("citus")) catalog.distributed = read_distributed_tables(source);
  for (const pg::Row row : source.execute(kRolesSql)) {
    catalog.roles.push_back({.name = std::string(row.text(0)),
                             .object = {row.oid(4), row.oid(5)},
                             .owns = row.boolean(1),
                             .is_granted = row.boolean(2),
                             .is_named = row.boolean(3)});
  }
  for (const pg::Row row : source.execute(kHiddenUserMappingsSql)) {
    catalog.hidden_user_mappings.emplace_back(row.text(0));
  }
  catalog.own_column_orders = read_own_column_orders(source);
  catalog.lost_roles = read_lost_roles(source);
  catalog.extension_table_objects = read_extension_table_objects(source);
  catalog.extension_members = read_extension_members(source);
  read_function_calls(source, catalog);
  read_functions_of_rows(source, catalog);
  const std::set<Oid> naming_indexes = find_tables_naming_indexes(source, catalog);
  for (Relation& relation : catalog.relations) relation.names_indexes = naming_indexes.contains(relation.oid);
  catalog.large_objects = source.execute(kLargeObjectsSql)[0].integer(0);
  return catalog;
}

void lock_tables(pg::Connection& holder, const std::vector<const Relation*>& tables) {
  if (tables.empty()) return;
  constexpr std::size_t kNamesInAStatement = 1000;
  for (std::size_t begin = 0; begin < tables.size(); begin += kNamesInAStatement) {
    std::vector<std::string> names;
    const std::size_t end = std::min(tables.size(), begin + kNamesInAStatement);
    for (std::size_t i = begin; i < end; ++i) names.push_back("ONLY " + tables[i]->quoted());
    holder.execute(fmt::format("LOCK TABLE {} IN ACCESS SHARE MODE", fmt::join(names, ", ")));
  }
  // pg_class is read as of the snapshot; the functions tell what is there now, the locks being by name.
  std::vector<Oid> oids;
  for (const Relation* table : tables) oids.push_back(table->oid);
  const std::array<std::string, 1> parameters = {fmt::format("{{{}}}", fmt::join(oids, ","))};
  const pg::Result changed = holder.execute(
      "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      " WHERE c.oid = ANY ($1::oid[]) AND c.relfilenode <> 0"
      " AND (c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid)"
      " OR c.oid IS DISTINCT FROM pg_catalog.to_regclass(pg_catalog.format('%I.%I', n.nspname, c.relname))::oid)"
      " ORDER BY 1, 2",
      parameters);
  if (changed.empty()) return;
  std::vector<std::string> names;
  for (const pg::Row row : changed) names.push_back(pg::display_name(row.text(0), row.text(1)));
  throw Error(ErrorKind::kState,
              fmt::format("truncated, rewritten or renamed while the copy began: {}", fmt::join(names, ", ")))
      .on(Side::kSource)
      .hint("stop what changes the source's tables, then run again");
}

}  // namespace pgsluice::schema
