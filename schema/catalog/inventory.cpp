#include "schema/catalog/inventory.h"

#include <fmt/format.h>

#include <array>

#include "pg/quote.h"
#include "pg/version.h"
#include "schema/catalog/catalog.h"
#include "schema/catalog/catalog_sql.h"

namespace pgsluice::schema {

namespace {

std::set<std::string, std::less<>> name_set(pg::Connection& connection, std::string_view sql) {
  std::set<std::string, std::less<>> result;
  for (const pg::Row row : connection.execute(sql)) result.emplace(row.text(0));
  return result;
}

// One text for both servers, so that the same object has the same name in both answers.
constexpr std::string_view kObjectsSql = R"(
SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid, c.oid, 'relation', n.nspname, c.relname::text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relpersistence <> 't'
   AND {0}
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT 'pg_catalog.pg_type'::pg_catalog.regclass::oid, t.oid, 'type', n.nspname, t.typname::text
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE (t.typrelid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
   AND t.typelem = 0 AND {0}
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                      AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::oid, p.oid, 'function', n.nspname,
       p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')'
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE {0}
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                      AND d.objid = p.oid AND d.deptype = 'e')
 ORDER BY 3, 4, 5)";

std::string object_key(const pg::Row& row) {
  const std::string_view kind = row.text(2);
  const std::string name = kind == "function" ? pg::display_name("", row.text(3)) + "." + std::string(row.text(4))
                                              : pg::display_name(row.text(3), row.text(4));
  return fmt::format("{} {}", kind, name);
}

// For pg_has_role().
std::string set_role_privilege(int server_version) {
  return server_version >= pg::since::kMembershipOptions ? "SET" : "MEMBER";
}

}  // namespace

bool may_act_for(pg::Connection& target, std::string_view role) {
  const std::array<std::string, 2> parameters = {std::string(role), set_role_privilege(target.server_version())};
  return !target
              .execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = $1 AND pg_catalog.pg_has_role(oid, $2)",
                       parameters)
              .empty();
}

std::set<std::string, std::less<>> roles_out_of_reach(pg::Connection& target) {
  return name_set(target,
                  fmt::format("SELECT rolname FROM pg_catalog.pg_roles WHERE NOT pg_catalog.pg_has_role(oid, {})",
                              pg::quote_literal(set_role_privilege(target.server_version()))));
}

void TargetInventory::see_as_before(const TargetInventory& before) {
  schemas = before.schemas;
  extensions = before.extensions;
  others_extensions = before.others_extensions;
  others_schemas = before.others_schemas;
}

std::set<std::string, std::less<>> extensions_of(const TargetInventory& inventory) {
  std::set<std::string, std::less<>> names;
  for (const auto& [name, schema] : inventory.extensions) names.insert(name);
  return names;
}

TargetInventory read_inventory(pg::Connection& target) {
  return {.schemas = name_set(target, "SELECT nspname FROM pg_catalog.pg_namespace"),
          .extensions = read_extensions(target),
          .others_extensions = name_set(target,
                                        "SELECT extname FROM pg_catalog.pg_extension"
                                        " WHERE NOT pg_catalog.pg_has_role(extowner, 'USAGE')"),
          .others_schemas = name_set(target,
                                     "SELECT nspname FROM pg_catalog.pg_namespace"
                                     " WHERE NOT pg_catalog.pg_has_role(nspowner, 'USAGE')"),
          .roles = name_set(target, "SELECT rolname FROM pg_catalog.pg_roles"),
          .tablespaces = name_set(target, "SELECT spcname FROM pg_catalog.pg_tablespace")};
}

namespace {

std::set<std::string, std::less<>> objects_of(pg::Connection& target) {
  std::set<std::string, std::less<>> present;
  for (const pg::Row row : target.execute(fmt::format(kObjectsSql, kUserSchema))) {
    if (row.text(3) != "pgsluice") present.insert(object_key(row));  // of an unfinished copy, looked at elsewhere
  }
  return present;
}

TargetObjects find(std::vector<std::string> wanted, std::set<std::string, std::less<>> present) {
  TargetObjects result;
  for (std::string& key : wanted) {
    if (present.erase(key) > 0) {
      result.conflicts.push_back(std::move(key));
    } else {
      ++result.missing;
    }
  }
  result.others = present.size();
  return result;
}

// As object_key() writes it; empty for what is not looked at.
std::string object_key(const TocEntry& entry) {
  const std::string schema = entry.schema.value_or("");
  if (entry.catalog_id.table == kPgClass && entry.section == Section::kPreData) {
    return fmt::format("relation {}", pg::display_name(schema, entry.tag));
  }
  if (entry.kind.is_one_of({EntryKind::kType, EntryKind::kDomain}))
    return fmt::format("type {}", pg::display_name(schema, entry.tag));
  if (entry.kind.is_one_of({EntryKind::kFunction, EntryKind::kProcedure, EntryKind::kAggregate})) {
    return fmt::format("function {}.{}", pg::display_name("", schema), entry.tag);
  }
  return "";
}

}  // namespace

TargetObjects find_target_objects(const Archive& archive, pg::Connection& target) {
  std::vector<std::string> wanted;
  for (const TocEntry& entry : archive.entries) {
    std::string key = object_key(entry);
    if (!key.empty()) wanted.push_back(std::move(key));
  }
  return find(std::move(wanted), objects_of(target));
}

TargetObjects find_target_objects(const Archive& archive, pg::Connection& source, pg::Connection& target) {
  std::set<CatalogId> in_archive;
  for (const TocEntry& entry : archive.entries) in_archive.insert(entry.catalog_id);
  std::vector<std::string> wanted;
  for (const pg::Row row : source.execute(fmt::format(kObjectsSql, kUserSchema))) {
    if (in_archive.contains({row.oid(0), row.oid(1)})) wanted.push_back(object_key(row));
  }
  return find(std::move(wanted), objects_of(target));
}

}  // namespace pgsluice::schema
