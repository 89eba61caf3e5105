#include "schema/catalog/foreseen.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <string_view>

#include "base/counted.h"
#include "pg/quote.h"
#include "pg/version.h"
#include "schema/catalog/catalog_sql.h"

namespace pgsluice::schema {

namespace {

constexpr int kOneMajor = 10000;  // in PQserverVersion() from 10 on
constexpr std::size_t kMaxNamed = 10;

// An object of the user's and something of the system's that it needs, by its name for the target.
struct Need {
  std::string object;
  std::string name;
};

std::vector<Need> needs(pg::Connection& source, const std::string& sql) {
  std::vector<Need> result;
  for (const pg::Row row : source.execute(sql)) {
    result.push_back({.object = std::string(row.text(0)), .name = std::string(row.text(1))});
  }
  return result;
}

// Returns the needs whose `name` the target lacks by this condition: by name, with the objects that need it.
std::map<std::string, std::vector<std::string>> unmet(pg::Connection& target, const std::vector<Need>& all,
                                                      std::string_view missing_condition) {
  std::map<std::string, std::vector<std::string>> by_name;
  for (const Need& need : all) by_name[need.name].push_back(need.object);
  if (by_name.empty()) return {};
  std::vector<std::string> names;
  for (const auto& [name, objects] : by_name) names.push_back(pg::quote_literal(name));
  std::map<std::string, std::vector<std::string>> missing;
  for (const pg::Row row : target.execute(
           fmt::format("WITH needed(name) AS (SELECT pg_catalog.unnest(ARRAY[{}])) SELECT name FROM needed WHERE {}",
                       fmt::join(names, ", "), missing_condition))) {
    const auto found = by_name.find(std::string(row.text(0)));
    if (found != by_name.end()) missing.insert(*found);
  }
  return missing;
}

std::string objects_of_user(std::string_view catalog, std::string_view oid) {
  return fmt::format(
      "{} AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.{}'::pg_catalog.regclass"
      " AND e.objid = {} AND e.deptype = 'e')",
      kUserSchema, catalog, oid);
}

std::string release_of(pg::Connection& connection) { return std::to_string(connection.server_version() / kOneMajor); }

using Texts = std::vector<std::string>;

void add_missing_types(pg::Connection& source, pg::Connection& target, Texts& texts) {
  const std::string of_columns = fmt::format(
      "SELECT DISTINCT c.oid::pg_catalog.regclass::text, coalesce(e.typname, t.typname)"
      "  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
      "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
      "  LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typlen = -1"
      " WHERE NOT a.attisdropped AND a.attnum > 0 AND c.relkind IN ('r', 'p', 'f', 'm', 'v', 'c')"
      "   AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND {}",
      objects_of_user("pg_class", "c.oid"));
  constexpr std::string_view kMissing =
      "NOT EXISTS (SELECT FROM pg_catalog.pg_type t"
      " WHERE t.typname = name AND t.typtype <> 'p' AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace)";
  for (auto& [type, objects] : unmet(target, needs(source, of_columns), kMissing)) {
    // Columns of views may be of pseudo-types, of which tables cannot be.
    if (type.starts_with("any") || type == "record" || type == "cstring" || type == "void") continue;
    texts.push_back(
        fmt::format("release {} has no type {}: {} cannot be made as they are; ALTER TABLE … ALTER COLUMN … TYPE … on "
                    "the source first "
                    "(timestamptz for abstime, interval for reltime, text for unknown)",
                    release_of(target), type, some_of(objects)));
  }
}

// Functions behind aggregates, operators and casts.
void add_missing_functions(pg::Connection& source, pg::Connection& target, Texts& texts) {
  const std::string of_objects = fmt::format(
      "WITH calls(object, called) AS ("
      " SELECT 'aggregate ' || p.oid::pg_catalog.regprocedure::text, f.oid FROM pg_catalog.pg_aggregate a"
      "   JOIN pg_catalog.pg_proc p ON p.oid = a.aggfnoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
      "   JOIN pg_catalog.pg_proc f ON f.oid IN (a.aggtransfn, a.aggfinalfn, a.aggmtransfn, a.aggminvtransfn,"
      "        a.aggmfinalfn) WHERE {}"
      " UNION ALL SELECT 'operator ' || o.oid::pg_catalog.regoperator::text, o.oprcode FROM pg_catalog.pg_operator o"
      "   JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE {}"
      " UNION ALL SELECT pg_catalog.format('cast (%s AS %s)', pg_catalog.format_type(k.castsource, NULL),"
      "   pg_catalog.format_type(k.casttarget, NULL)), k.castfunc FROM pg_catalog.pg_cast k WHERE k.oid >= 16384)"
      " SELECT DISTINCT object, f.oid::pg_catalog.regprocedure::text FROM calls"
      "   JOIN pg_catalog.pg_proc f ON f.oid = called"
      "  WHERE f.pronamespace = 'pg_catalog'::pg_catalog.regnamespace",
      objects_of_user("pg_proc", "p.oid"), objects_of_user("pg_operator", "o.oid"));
  // Not by to_regprocedure(), which fails before 16 where a type of the arguments is not there.
  constexpr std::string_view kMissing =
      "NOT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.proname = pg_catalog.split_part(name, '(', 1)"
      " AND p.oid::pg_catalog.regprocedure::text = name)";
  for (auto& [function, objects] : unmet(target, needs(source, of_objects), kMissing)) {
    texts.push_back(fmt::format(
        "release {} has no function {}: {} cannot be made as they are; make them anew on the source before, or on the "
        "target after the copy, for the types that the function has there (anycompatiblearray for anyarray from 14 "
        "on)",
        release_of(target), function, some_of(objects)));
  }
}

// A query's tree names what it uses by numbers. Columns are bits, counted from the lowest system column.
void add_missing_columns_of_views(pg::Connection& source, pg::Connection& target, Texts& texts) {
  const int lowest = source.server_version() < pg::since::kNoOids ? 8 : 7;
  const std::string of_views = fmt::format(
      "SELECT DISTINCT v.oid::pg_catalog.regclass::text, used.oid::pg_catalog.regclass::text || '.' ||"
      "       pg_catalog.quote_ident(a.attname)"
      "  FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')"
      "  JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace"
      "  CROSS JOIN LATERAL pg_catalog.regexp_matches(r.ev_action::text, ':relid ([0-9]+)[^{{}}]*:selectedCols "
      "\\(b([0-9 ]+)\\)', 'g') "
      "m(found)"
      "  JOIN pg_catalog.pg_class used ON used.oid = m.found[1]::oid AND used.oid < 16384"
      "  CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.btrim(m.found[2]), ' ')) bit"
      "  JOIN pg_catalog.pg_attribute a ON a.attrelid = m.found[1]::oid AND a.attnum = bit::integer - {}"
      " WHERE {}",
      lowest, objects_of_user("pg_class", "v.oid"));
  constexpr std::string_view kMissing =
      "NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a"
      " WHERE a.attrelid = pg_catalog.to_regclass(pg_catalog.substring(name, '^(.*)\\.[^.]*$'))"
      "   AND pg_catalog.quote_ident(a.attname) = pg_catalog.substring(name, '[^.]*$') AND NOT a.attisdropped)";
  for (auto& [column, objects] : unmet(target, needs(source, of_views), kMissing)) {
    texts.push_back(
        fmt::format("release {} has no column {}: the views {} cannot be made as they are, nor what reads them; "
                    "change them on the source, or leave them out by a filter",
                    release_of(target), column, some_of(objects)));
  }
}

// "WITH trees(object, tree) AS (…)": the stored trees of what users' queries and expressions are.
std::string trees_sql() {
  return fmt::format(
      "WITH trees(object, tree) AS ("
      " SELECT 'view ' || v.oid::pg_catalog.regclass::text, r.ev_action::text FROM pg_catalog.pg_rewrite r"
      "   JOIN pg_catalog.pg_class v ON v.oid = r.ev_class JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace"
      "   WHERE {0}"
      " UNION ALL SELECT 'default of ' || v.oid::pg_catalog.regclass::text, d.adbin::text FROM pg_catalog.pg_attrdef d"
      "   JOIN pg_catalog.pg_class v ON v.oid = d.adrelid JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace"
      "   WHERE {0}"
      " UNION ALL SELECT 'constraint ' || k.conname, k.conbin::text FROM pg_catalog.pg_constraint k"
      "   JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace WHERE k.conbin IS NOT NULL AND {1}"
      " UNION ALL SELECT 'index ' || v.oid::pg_catalog.regclass::text, i.indexprs::text FROM pg_catalog.pg_index i"
      "   JOIN pg_catalog.pg_class v ON v.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace"
      "   WHERE i.indexprs IS NOT NULL AND {0})",
      objects_of_user("pg_class", "v.oid"), objects_of_user("pg_constraint", "k.oid"));
}

// Built-in operators that are gone: factorials, and the old spellings of containment.
void add_missing_operators(pg::Connection& source, pg::Connection& target, Texts& texts) {
  const std::string of_expressions =
      trees_sql() +
      " SELECT DISTINCT object, pg_catalog.concat_ws(' ', pg_catalog.format_type(nullif(o.oprleft, 0), NULL), "
      "o.oprname,"
      "   pg_catalog.format_type(nullif(o.oprright, 0), NULL)) FROM trees"
      " CROSS JOIN LATERAL pg_catalog.regexp_matches(tree, ':opno ([0-9]+)', 'g') m(found)"
      "   JOIN pg_catalog.pg_operator o ON o.oid = m.found[1]::oid WHERE o.oid < 16384";
  constexpr std::string_view kMissing =
      "NOT EXISTS (SELECT FROM pg_catalog.pg_operator o WHERE name = pg_catalog.concat_ws(' ',"
      " pg_catalog.format_type(nullif(o.oprleft, 0), NULL), o.oprname,"
      " pg_catalog.format_type(nullif(o.oprright, 0), NULL)))";
  for (auto& [name, objects] : unmet(target, needs(source, of_expressions), kMissing)) {
    texts.push_back(
        fmt::format("release {} has no operator {}: {} cannot be made as they are; change them on the source, or leave "
                    "them out by a filter",
                    release_of(target), name, some_of(objects)));
  }
}

// Functions that expressions and queries call, by their names alone.
void add_missing_names_of_functions(pg::Connection& source, pg::Connection& target, Texts& texts) {
  const std::string of_expressions =
      trees_sql() +
      " SELECT DISTINCT object, f.proname FROM trees CROSS JOIN LATERAL pg_catalog.regexp_matches(tree, ':funcid "
      "([0-9]+)', 'g') m(found)"
      "   JOIN pg_catalog.pg_proc f ON f.oid = m.found[1]::oid"
      "  WHERE f.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND f.oid < 16384";
  constexpr std::string_view kMissing =
      "NOT EXISTS (SELECT FROM pg_catalog.pg_proc p"
      " WHERE p.proname = name AND p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace)";
  for (auto& [function, objects] : unmet(target, needs(source, of_expressions), kMissing)) {
    texts.push_back(
        fmt::format("release {} has no function {}(): {} cannot be made as they are; change them on the "
                    "source, or leave them out by a filter",
                    release_of(target), function, some_of(objects)));
  }
}

std::vector<std::string> names(pg::Connection& connection, const std::string& sql) {
  std::vector<std::string> result;
  for (const pg::Row row : connection.execute(sql)) result.emplace_back(row.text(0));
  return result;
}

// Newer releases do some things in another way: what a function looks for, and from which release on.
void add_rows_with_oids(pg::Connection& source, Texts& texts) {
  const auto tables = names(source,
                            "SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c"
                            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                            " WHERE c.relhasoids AND c.relkind IN ('r', 'p') AND " +
                                objects_of_user("pg_class", "c.oid"));
  if (tables.empty()) return;
  texts.push_back(fmt::format(
      "the OIDs of the rows of {} are not copied, since no table has them from 12 on: ALTER TABLE … ADD COLUMN "
      "… and UPDATE … SET … = oid keeps them in a column of their own",
      some_of(tables)));
}

void add_postfix_operators(pg::Connection& source, Texts& texts) {
  const auto operators = names(source,
                               "SELECT o.oid::pg_catalog.regoperator::text FROM pg_catalog.pg_operator o"
                               " JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace"
                               " WHERE o.oprkind = 'r' AND " +
                                   objects_of_user("pg_operator", "o.oid"));
  if (operators.empty()) return;
  texts.push_back(fmt::format(
      "postfix operators are no more from 14 on: {} cannot be made, nor what uses them; replace them by functions, and "
      "drop them on the source",
      some_of(operators)));
}

void add_conversions(pg::Connection& source, Texts& texts) {
  const auto conversions = names(source,
                                 "SELECT pg_catalog.format('%I.%I', n.nspname, k.conname)"
                                 " FROM pg_catalog.pg_conversion k"
                                 " JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace WHERE " +
                                     objects_of_user("pg_conversion", "k.oid"));
  if (conversions.empty()) return;
  texts.push_back(fmt::format(
      "functions of encoding conversions take another argument from 14 on: {} cannot be made as they are; drop "
      "them on the source",
      some_of(conversions)));
}

void add_children_that_may_be_null(pg::Connection& source, Texts& texts) {
  const auto columns = names(source,
                             "SELECT child.oid::pg_catalog.regclass::text || '.' || pg_catalog.quote_ident(a.attname)"
                             " FROM pg_catalog.pg_inherits i"
                             " JOIN pg_catalog.pg_attribute p ON p.attrelid = i.inhparent AND p.attnum > 0"
                             " JOIN pg_catalog.pg_attribute a ON a.attrelid = i.inhrelid AND a.attname = p.attname"
                             " JOIN pg_catalog.pg_class child ON child.oid = i.inhrelid"
                             " JOIN pg_catalog.pg_namespace n ON n.oid = child.relnamespace"
                             " WHERE p.attnotnull AND NOT a.attnotnull AND NOT p.attisdropped AND " +
                                 objects_of_user("pg_class", "child.oid"));
  if (columns.empty()) return;
  texts.push_back(fmt::format(
      "{} may be NULL while their parents may not: from 18 on children are NOT NULL as well, and refuse such "
      "rows; ALTER TABLE … ALTER COLUMN … SET NOT NULL on the source shows whether there are any",
      some_of(columns)));
}

void add_changed_rules(pg::Connection& source, pg::Connection& target, Texts& texts) {
  const auto crosses = [from = source.server_version(), to = target.server_version()](int release) {
    return from < release && to >= release;
  };
  if (crosses(pg::since::kNoOids)) add_rows_with_oids(source, texts);
  if (crosses(pg::since::kNoPostfixOperators)) {
    add_postfix_operators(source, texts);
    add_conversions(source, texts);
  }
  if (crosses(pg::since::kNotNullConstraints)) add_children_that_may_be_null(source, texts);
}

void add_what_is_not_dumped(pg::Connection& source, Texts& texts) {
  const auto prepared =
      names(source, "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()");
  if (!prepared.empty()) {
    texts.push_back(
        fmt::format("prepared transactions are not copied, nor what they have written: {}; COMMIT PREPARED or "
                    "ROLLBACK PREPARED them on the source first",
                    some_of(prepared)));
  }
  const auto libraries =
      names(source,
            "SELECT DISTINCT p.probin FROM pg_catalog.pg_proc p"
            " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
            " JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname = 'c' WHERE p.probin IS NOT NULL AND " +
                objects_of_user("pg_proc", "p.oid"));
  if (!libraries.empty()) {
    texts.push_back(fmt::format("functions in C of no extension need their libraries on the target's machine: {}",
                                some_of(libraries)));
  }
}

void add_event_triggers(pg::Connection& target, Texts& texts) {
  for (const pg::Row row : target.execute(
           "SELECT evtname, evtevent FROM pg_catalog.pg_event_trigger t WHERE evtenabled IN ('O', 'A')"
           " AND evtevent <> 'login' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.objid = t.oid"
           " AND e.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass AND e.deptype = 'e') ORDER BY 1")) {
    texts.push_back(
        fmt::format("the target's event trigger {0} ({1}) sees what is made there, and may refuse it: ALTER "
                    "EVENT TRIGGER {0} DISABLE for the copy",
                    pg::quote_identifier(row.text(0)), row.text(1)));
  }
}

void add_extensions_of_one_database(pg::Connection& source, pg::Connection& target, Texts& texts) {
  const bool is_there = !source.execute("SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_cron'").empty();
  if (!is_there) return;
  const std::string home(
      target.execute("SELECT coalesce(pg_catalog.current_setting('cron.database_name', true), 'postgres')")[0].text(0));
  if (home == target.database()) return;
  texts.push_back(fmt::format(
      "pg_cron can be made in the database {} of the target alone (cron.database_name), and not in {}: set it there "
      "and restart, or leave the extension out by a filter and make its jobs by "
      "cron.schedule_in_database() in {}",
      home, target.database(), home));
}

// Extensions that any user may make belong to the server's first superuser all the same.
void add_privileges_of_extensions(pg::Connection& source, pg::Connection& target, Texts& texts) {
  if (target.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")[0].boolean(0)) return;
  if (source.server_version() < pg::since::kInitialPrivileges) return;
  Texts objects;
  for (const auto& [catalog, acl] : {std::pair{"pg_proc", "proacl"}, {"pg_class", "relacl"}}) {
    for (const pg::Row row : source.execute(fmt::format(
             "SELECT pg_catalog.pg_describe_object(d.classid, o.oid, 0) FROM pg_catalog.{0} o"
             "  JOIN pg_catalog.pg_depend d ON d.objid = o.oid AND d.deptype = 'e'"
             "   AND d.classid = 'pg_catalog.{0}'::pg_catalog.regclass"
             "  LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid = o.oid AND i.classoid = d.classid AND i.objsubid = 0"
             " WHERE o.oid >= 16384 AND o.{1} IS DISTINCT FROM i.initprivs ORDER BY 1",
             catalog, acl))) {
      objects.emplace_back(row.text(0));
    }
  }
  if (objects.empty()) return;
  texts.push_back(
      fmt::format("privileges of objects of extensions were changed on the source, which {} may not do on the target, "
                  "where these belong to a superuser: {}; have a superuser change them there afterwards",
                  target.user(), some_of(objects, kMaxNamed, ", ")));
}

// They are copied before their policies are in force, and cannot be read afterwards.
void add_tables_with_forced_row_security(pg::Connection& source, pg::Connection& target, Texts& texts) {
  if (target.execute("SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user")[0]
          .boolean(0)) {
    return;
  }
  const Texts tables = names(source,
                             "SELECT oid::pg_catalog.regclass::text FROM pg_catalog.pg_class"
                             " WHERE relrowsecurity AND relforcerowsecurity AND relkind IN ('r', 'p') ORDER BY 1");
  if (tables.empty()) return;
  texts.push_back(
      fmt::format("row-level security is forced on its owner, so that {} cannot read on the target, and compare "
                  "afterwards, what it has copied (rows are counted while they are copied, and a clone with "
                  "verification compares them): {}",
                  target.user(), some_of(tables, kMaxNamed, ", ")));
}

}  // namespace

std::vector<std::string> foresee(pg::Connection& source, pg::Connection& target) {
  Texts texts;
  if (source.server_version() / kOneMajor != target.server_version() / kOneMajor) {
    add_missing_types(source, target, texts);
    add_missing_functions(source, target, texts);
    add_missing_columns_of_views(source, target, texts);
    add_missing_names_of_functions(source, target, texts);
    add_missing_operators(source, target, texts);
    add_changed_rules(source, target, texts);
  }
  add_what_is_not_dumped(source, texts);
  add_event_triggers(target, texts);
  add_extensions_of_one_database(source, target, texts);
  add_privileges_of_extensions(source, target, texts);
  add_tables_with_forced_row_security(source, target, texts);
  return texts;
}

}  // namespace pgsluice::schema
