// SchemaValidation: what a dump leaves out or a target refuses.
#include <fmt/format.h>

#include <array>
#include <set>
#include <string>

#include "migration/validations/validations.h"
#include "pg/quote.h"
#include "pg/version.h"

namespace pgsluice::migration {

namespace {

// Not made by initdb, nor by an extension.
std::string is_users(const std::string& alias, const std::string& catalog) {
  return fmt::format(
      "{0}.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = {0}.oid AND d.deptype = 'e' "
      "AND "
      "d.classid = 'pg_catalog.{1}'::pg_catalog.regclass)",
      alias, catalog);
}

void find_template(const ValidationContext& context, Validation& validation) {
  if (context.is_there) return;
  const std::string name = context.source.database();
  if (!context.source
           .execute("SELECT datistemplate FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()")[0]
           .boolean(0)) {
    return;
  }
  fail(validation, fmt::format("database {}: a template, and templates are not migrated; ALTER DATABASE {} IS_TEMPLATE "
                               "false",
                               pg::display_name("", name), pg::quote_identifier(name)));
}

void find_oids(const ValidationContext& context, Validation& validation) {
  pg::Connection& source = context.source;
  if (source.server_version() >= pg::kV12) return;
  for (const pg::Row row :
       source.execute("SELECT n.nspname, c.relname, c.tableoid, c.oid FROM pg_catalog.pg_class c JOIN "
                      "pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                      " WHERE c.relhasoids AND c.relkind IN ('r', 'p') AND " +
                      is_users("c", "pg_class"))) {
    if (context.is_omitted(row)) continue;
    const std::string quoted = pg::quote_qualified(row.text(0), row.text(1));
    fail(validation,
         fmt::format("table {}: WITH OIDS, which no server from 12 on has: the oids would be lost; ALTER TABLE "
                     "{} SET WITHOUT OIDS, after a column of your own that keeps them if they are needed",
                     pg::display_name(row.text(0), row.text(1)), quoted));
  }
}

// pg_dump writes them down for pg_catalog alone.
void find_grants_on_catalogs(pg::Connection& source, Validation& validation) {
  if (source.server_version() < pg::kV9_6) return;
  // Without initial privileges, those that every such object has: a GRANT that was revoked again leaves them written
  // out.
  const auto differs = [](const char* catalog, const char* name, const char* schema, const char* acl,
                          const char* usual) {
    return fmt::format(
        "SELECT n.nspname, c.{1} FROM pg_catalog.{0} c JOIN pg_catalog.pg_namespace n ON n.oid = c.{2}"
        "  LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid = c.oid AND i.objsubid = 0"
        "   AND i.classoid = 'pg_catalog.{0}'::pg_catalog.regclass"
        " WHERE n.nspname = 'pg_catalog' AND c.oid < 16384 AND c.{3} IS NOT NULL"
        "   AND NOT (c.{3} @> coalesce(i.initprivs, {4}) AND coalesce(i.initprivs, {4}) @> c.{3})",
        catalog, name, schema, acl, usual);
  };
  const std::string columns =
      "SELECT DISTINCT n.nspname, c.relname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = "
      "a.attrelid"
      "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      "  LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid = c.oid AND i.objsubid = a.attnum"
      "   AND i.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass"
      " WHERE n.nspname = 'pg_catalog' AND c.oid < 16384 AND a.attacl IS NOT NULL"
      "   AND NOT (a.attacl @> coalesce(i.initprivs, '{}') AND coalesce(i.initprivs, '{}') @> a.attacl)";
  for (const std::string& sql :
       {differs("pg_class", "relname", "relnamespace", "relacl", "pg_catalog.acldefault('r', c.relowner)"),
        differs("pg_proc", "proname", "pronamespace", "proacl", "pg_catalog.acldefault('f', c.proowner)"), columns}) {
    for (const pg::Row row : source.execute(sql)) {
      fail(validation, fmt::format("grants on {}: privileges of the system's catalogs were changed, which the target's "
                                   "user may not; REVOKE them on the source",
                                   pg::display_name(row.text(0), row.text(1))));
    }
  }
}

// The owner of one of the types may make a cast by a function.
void find_what_superusers_make(const ValidationContext& context, Validation& validation) {
  pg::Connection& source = context.source;
  for (const pg::Row row : source.execute(
           "SELECT pg_catalog.format_type(castsource, NULL), pg_catalog.format_type(casttarget, NULL), c.tableoid, "
           "c.oid"
           "  FROM pg_catalog.pg_cast c WHERE (castmethod = 'b' OR (castsource < 16384 AND casttarget < 16384))"
           "   AND " +
           is_users("c", "pg_cast"))) {
    if (context.is_omitted(row)) continue;
    fail(validation,
         fmt::format("cast of {0} to {1}: the target's user is no superuser, and may not make it; DROP CAST "
                     "({0} AS {1}) on the source, or have a superuser make it",
                     row.text(0), row.text(1)));
  }
  for (const pg::Row row : source.execute("SELECT lanname, l.tableoid, l.oid FROM pg_catalog.pg_language l WHERE " +
                                          is_users("l", "pg_language"))) {
    if (context.is_omitted(row)) continue;
    fail(validation,
         fmt::format("language {}: the target's user is no superuser, and may not make it; install it as an "
                     "extension, or drop it with its functions",
                     pg::display_name("", row.text(0))));
  }
  std::set<std::string> functions;  // of one name may be several
  for (const pg::Row row :
       source.execute("SELECT n.nspname, p.proname, l.lanname, p.tableoid, p.oid FROM pg_catalog.pg_proc p"
                      "  JOIN pg_catalog.pg_language l ON l.oid = p.prolang"
                      "  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE NOT l.lanpltrusted"
                      // Anybody makes an aggregate, and a range type makes its constructors.
                      "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_aggregate a WHERE a.aggfnoid = p.oid)"
                      "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = p.oid AND d.deptype = 'i'"
                      "     AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass) AND " +
                      is_users("p", "pg_proc"))) {
    const std::string name = pg::display_name(row.text(0), row.text(1));
    if (context.is_omitted(row) || !functions.insert(name).second) continue;
    fail(validation, fmt::format("function {}: in {}, in which the target's user, who is no superuser, may not write; "
                                 "write it in another language, or drop it",
                                 name, row.text(2)));
  }
  for (const pg::Row row :
       source.execute("SELECT evtname, e.tableoid, e.oid FROM pg_catalog.pg_event_trigger e WHERE " +
                      is_users("e", "pg_event_trigger"))) {
    if (context.is_omitted(row)) continue;
    fail(validation,
         fmt::format("event trigger {0}: the target's user is no superuser, and may not make it; DROP EVENT "
                     "TRIGGER {1} on the source, or leave its making to a superuser afterwards",
                     pg::display_name("", row.text(0)), pg::quote_identifier(row.text(0))));
  }
  for (const auto& [kind, catalog, name, schema] :
       {std::tuple{"operator class", "pg_opclass", "opcname", "opcnamespace"},
        {"operator family", "pg_opfamily", "opfname", "opfnamespace"},
        {"text search parser", "pg_ts_parser", "prsname", "prsnamespace"},
        {"text search template", "pg_ts_template", "tmplname", "tmplnamespace"}}) {
    for (const pg::Row row : source.execute(fmt::format("SELECT n.nspname, o.{}, o.tableoid, o.oid FROM pg_catalog.{} "
                                                        "o JOIN pg_catalog.pg_namespace n ON n.oid = o.{} WHERE ",
                                                        name, catalog, schema) +
                                            is_users("o", catalog))) {
      if (context.is_omitted(row)) continue;
      fail(validation, fmt::format("{} {}: the target's user is no superuser, and may not make it; drop it on the "
                                   "source with what uses it, or have a superuser make it",
                                   kind, pg::display_name(row.text(0), row.text(1))));
    }
  }
  if (source.server_version() >= pg::kV15) {
    for (const pg::Row row :
         source.execute("SELECT DISTINCT p.pubname, p.tableoid, p.oid FROM pg_catalog.pg_publication p"
                        "  JOIN pg_catalog.pg_publication_namespace n ON n.pnpubid = p.oid")) {
      if (context.is_omitted(row)) continue;
      fail(validation,
           fmt::format("publication {0}: FOR TABLES IN SCHEMA, which the target's user, who is no superuser, "
                       "may not make; DROP PUBLICATION {1} on the source, or name its tables",
                       pg::display_name("", row.text(0)), pg::quote_identifier(row.text(0))));
    }
  }
  if (source.server_version() >= pg::kV10) {
    for (const pg::Row row :
         source.execute("SELECT pubname, tableoid, oid FROM pg_catalog.pg_publication WHERE puballtables")) {
      if (context.is_omitted(row)) continue;
      fail(validation, fmt::format("publication {0}: FOR ALL TABLES, which the target's user, who is no superuser, may "
                                   "not make; DROP PUBLICATION {1} on the source, or name its tables",
                                   pg::display_name("", row.text(0)), pg::quote_identifier(row.text(0))));
    }
  }
  find_grants_on_catalogs(source, validation);
}

// pg_dump leaves them out without a word.
void find_objects_of_the_system(pg::Connection& source, Validation& validation) {
  const auto report = [&](std::string_view kind, const pg::Row& row) {
    fail(validation,
         fmt::format("{} {}: in a schema of the system, of which nothing is dumped: it would be missing; move "
                     "it to a schema of your own (ALTER … SET SCHEMA) or drop it",
                     kind, pg::display_name(row.text(0), row.text(1))));
  };
  constexpr const char* kIn = " n.nspname IN ('pg_catalog', 'information_schema') AND ";
  for (const pg::Row row : source.execute("SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN "
                                          "pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                                          " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND" +
                                          std::string(kIn) + is_users("c", "pg_class"))) {
    report("relation", row);
  }
  for (const pg::Row row : source.execute("SELECT n.nspname, p.proname FROM pg_catalog.pg_proc p JOIN "
                                          "pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
                                          " WHERE" +
                                          std::string(kIn) + is_users("p", "pg_proc"))) {
    report("function", row);
  }
  for (const pg::Row row : source.execute("SELECT n.nspname, t.typname FROM pg_catalog.pg_type t JOIN "
                                          "pg_catalog.pg_namespace n ON n.oid = t.typnamespace"
                                          " WHERE t.typrelid = 0 AND t.typelem = 0 AND" +
                                          std::string(kIn) + is_users("t", "pg_type"))) {
    report("type", row);
  }
}

// In which the database, its tables and indexes are to be made.
void find_tablespaces_that_are_missing(const ValidationContext& context, Validation& validation) {
  if (!context.request.engine.restore.tablespaces) return;
  std::set<std::string> looked_at;
  for (const pg::Row row :
       context.source.execute("SELECT s.spcname, used.tableoid, used.oid FROM pg_catalog.pg_tablespace s JOIN"
                              " (SELECT reltablespace, tableoid, oid FROM pg_catalog.pg_class UNION ALL"
                              "  SELECT dattablespace, tableoid, oid FROM pg_catalog.pg_database"
                              "   WHERE datname = pg_catalog.current_database()) used ON used.reltablespace = s.oid"
                              " WHERE s.spcname NOT IN ('pg_default', 'pg_global') ORDER BY 1")) {
    const std::array<std::string, 1> name = {std::string(row.text(0))};
    if (context.is_omitted(row) || !looked_at.insert(name[0]).second) continue;
    if (!context.target.execute("SELECT FROM pg_catalog.pg_tablespace WHERE spcname = $1", name).empty()) continue;
    fail(validation,
         fmt::format("tablespace {}: missing on the target; CREATE TABLESPACE {} LOCATION '…', or do without "
                     "(engine: noTablespaces)",
                     pg::display_name("", name[0]), pg::quote_identifier(name[0])));
  }
}

void find_invalid_indexes(const ValidationContext& context, Validation& validation) {
  for (const pg::Row row :
       context.source.execute("SELECT n.nspname, c.relname, c.tableoid, c.oid FROM pg_catalog.pg_index i JOIN "
                              "pg_catalog.pg_class c ON c.oid = i.indexrelid"
                              "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                              " WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.oid >= 16384")) {
    if (context.is_omitted(row)) continue;
    warn(validation,
         fmt::format("index {}: invalid, and left out; REINDEX INDEX CONCURRENTLY {}, or drop it",
                     pg::display_name(row.text(0), row.text(1)), pg::quote_qualified(row.text(0), row.text(1))));
  }
}

void find_hash_partitions_by_enum(const ValidationContext& context, Validation& validation) {
  pg::Connection& source = context.source;
  if (source.server_version() < pg::kV11) return;
  for (const pg::Row row : source.execute(
           "SELECT DISTINCT n.nspname, c.relname, c.tableoid, c.oid FROM pg_catalog.pg_partitioned_table p"
           "  JOIN pg_catalog.pg_class c ON c.oid = p.partrelid JOIN pg_catalog.pg_namespace n ON n.oid = "
           "c.relnamespace"
           "  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (p.partattrs)"
           "  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid WHERE p.partstrat = 'h' AND t.typtype = 'e'")) {
    if (context.is_omitted(row)) continue;
    warn(validation,
         fmt::format("table {}: partitioned by the hash of an enum, which is another one on each server: its "
                     "rows are sent through the table itself, and lie in other partitions then",
                     pg::display_name(row.text(0), row.text(1))));
  }
}

}  // namespace

Validation validate_schema(const ValidationContext& context) {
  Validation validation;
  find_template(context, validation);
  find_oids(context, validation);
  if (!is_superuser(context.target)) find_what_superusers_make(context, validation);
  find_tablespaces_that_are_missing(context, validation);
  find_objects_of_the_system(context.source, validation);
  find_invalid_indexes(context, validation);
  if (context.source.server_version() >= pg::kV10) find_hash_partitions_by_enum(context, validation);
  return validation;
}

}  // namespace pgsluice::migration
