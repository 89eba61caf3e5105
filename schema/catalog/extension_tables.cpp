#include "schema/catalog/extension_tables.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "pg/version.h"

namespace pgsluice::schema {

namespace {

// Tables that are members of extensions, as t. The name serves in messages and in SQL: search_path is empty, so that
// regclass is qualified.
constexpr std::string_view kTables = R"(
WITH t AS (
  SELECT c.oid, c.oid::pg_catalog.regclass::text AS name, c.relrowsecurity, c.relforcerowsecurity,
         e.extname || ' ' || e.extversion AS extension
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_depend d
         ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
         JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
   WHERE c.relkind IN ('r', 'p'))
)";

constexpr std::string_view kIndexes = R"(
SELECT 1, 'index ' || i.indexrelid::pg_catalog.regclass, pg_catalog.pg_get_indexdef(i.indexrelid),
       t.extension
  FROM pg_catalog.pg_index i JOIN t ON t.oid = i.indrelid
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid)
)";

// The first column is the order: foreign keys come after the keys that they reference. NOT NULL constraints belong to
// their columns and are omitted.
constexpr std::string_view kConstraints = R"(
SELECT CASE k.contype WHEN 'f' THEN 3 ELSE 2 END,
       pg_catalog.format('constraint %I on table %s', k.conname, t.name),
       pg_catalog.format('ALTER TABLE ONLY %s ADD CONSTRAINT %I %s', t.name, k.conname,
                         pg_catalog.pg_get_constraintdef(k.oid)),
       t.extension
  FROM pg_catalog.pg_constraint k JOIN t ON t.oid = k.conrelid
 WHERE k.contype IN ('c', 'f', 'p', 'u', 'x')
)";

constexpr std::string_view kStatistics = R"(
SELECT 4, pg_catalog.format('statistics %I.%I', n.nspname, s.stxname), pg_catalog.pg_get_statisticsobjdef(s.oid),
       t.extension
  FROM pg_catalog.pg_statistic_ext s JOIN t ON t.oid = s.stxrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
)";

constexpr std::string_view kSecurity = R"(
SELECT 5, 'row-level security of table ' || t.name,
       pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t.name), t.extension FROM t WHERE t.relrowsecurity
UNION ALL
SELECT 5, 'forced row-level security of table ' || t.name,
       pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t.name), t.extension FROM t WHERE t.relforcerowsecurity
UNION ALL
SELECT 6, pg_catalog.format('policy %I on table %s', p.polname, t.name),
       pg_catalog.format('CREATE POLICY %I ON %s', p.polname, t.name)
       || {restrictive}
       || CASE p.polcmd WHEN 'r' THEN ' FOR SELECT' WHEN 'a' THEN ' FOR INSERT' WHEN 'w' THEN ' FOR UPDATE'
                        WHEN 'd' THEN ' FOR DELETE' ELSE '' END
       || ' TO ' || CASE WHEN 0 = ANY (p.polroles) THEN 'PUBLIC' ELSE
            (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(r.rolname), ', ' ORDER BY r.rolname)
               FROM pg_catalog.pg_roles r WHERE r.oid = ANY (p.polroles)) END
       || coalesce(' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '')
       || coalesce(' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', ''),
       t.extension
  FROM pg_catalog.pg_policy p JOIN t ON t.oid = p.polrelid
)";

constexpr std::string_view kTriggersAndRules = R"(
SELECT 7, pg_catalog.format('trigger %I on table %s', g.tgname, t.name),
       pg_catalog.pg_get_triggerdef(g.oid)
       || CASE g.tgenabled WHEN 'D' THEN pg_catalog.format('; ALTER TABLE %s DISABLE TRIGGER %I', t.name, g.tgname)
                           WHEN 'R' THEN pg_catalog.format('; ALTER TABLE %s ENABLE REPLICA TRIGGER %I', t.name, g.tgname)
                           WHEN 'A' THEN pg_catalog.format('; ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', t.name, g.tgname)
                           ELSE '' END,
       t.extension
  FROM pg_catalog.pg_trigger g JOIN t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal
UNION ALL
SELECT 8, pg_catalog.format('rule %I on table %s', r.rulename, t.name), pg_catalog.pg_get_ruledef(r.oid), t.extension
  FROM pg_catalog.pg_rewrite r JOIN t ON t.oid = r.ev_class
)";

constexpr std::string_view kComments = R"(
SELECT 9, CASE WHEN d.objsubid = 0 THEN 'comment on table ' || t.name
               ELSE pg_catalog.format('comment on column %s.%I', t.name, a.attname) END,
       CASE WHEN d.objsubid = 0 THEN pg_catalog.format('COMMENT ON TABLE %s IS %L', t.name, d.description)
            ELSE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', t.name, a.attname, d.description) END,
       t.extension
  FROM pg_catalog.pg_description d JOIN t ON t.oid = d.objoid
       LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
 WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
)";

}  // namespace

std::vector<ExtensionTableObject> read_extension_table_objects(pg::Connection& connection) {
  std::string security(kSecurity);
  constexpr std::string_view kPlace = "{restrictive}";
  security.replace(security.find(kPlace), kPlace.size(),
                   connection.server_version() < pg::since::kRestrictivePolicies
                       ? "''"
                       : "CASE WHEN p.polpermissive THEN '' ELSE ' AS RESTRICTIVE' END");
  std::string sql(kTables);
  sql += kIndexes;
  for (const std::string_view more : {kConstraints, std::string_view(security), kTriggersAndRules, kComments}) {
    sql += "UNION ALL";
    sql += more;
  }
  if (connection.server_version() >= pg::since::kExtendedStatistics) {
    sql += "UNION ALL";
    sql += kStatistics;
  }
  std::vector<ExtensionTableObject> objects;
  for (const pg::Row row : connection.execute(sql + "ORDER BY 1, 2")) {
    objects.push_back({.identity = std::string(row.text(1)),
                       .statement = std::string(row.text(2)),
                       .extension = std::string(row.text(3))});
  }
  return objects;
}

namespace {

constexpr std::string_view kOwners =
    "SELECT n.nspname, c.relname, e.extname, e.extcondition[pg_catalog.array_position(e.extconfig, c.oid)]"
    "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid"
    "   AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'"
    "  JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid";

OwnerOfTable owner_of(const pg::Row& row) {
  return {.extension = std::string(row.text(2)), .condition = row.optional_text(3)};
}

}  // namespace

std::optional<OwnerOfTable> find_owner_of_table(pg::Connection& connection, const std::string& schema,
                                                const std::string& table) {
  const std::array<std::string, 2> name = {schema, table};
  const pg::Result owner = connection.execute(fmt::format("{} WHERE n.nspname = $1 AND c.relname = $2", kOwners), name);
  if (owner.empty()) return std::nullopt;
  return owner_of(owner[0]);
}

std::map<std::pair<std::string, std::string>, OwnerOfTable> read_owners_of_tables(pg::Connection& connection) {
  std::map<std::pair<std::string, std::string>, OwnerOfTable> owners;
  for (const pg::Row row : connection.execute(kOwners)) {
    owners[{std::string(row.text(0)), std::string(row.text(1))}] = owner_of(row);
  }
  return owners;
}

std::set<std::string> read_extension_versions(pg::Connection& connection) {
  std::set<std::string> versions;
  for (const pg::Row row : connection.execute("SELECT extname || ' ' || extversion FROM pg_catalog.pg_extension")) {
    versions.emplace(row.text(0));
  }
  return versions;
}

}  // namespace pgsluice::schema
