#include "schema/catalog/beyond_pg_dump.h"

#include <map>
#include <set>
#include <string_view>

#include "schema/archive/printed_definition.h"
#include "schema/catalog/catalog.h"
#include "schema/catalog/extension_members.h"
#include "schema/catalog/extension_tables.h"

namespace pgsluice::schema {

namespace {

using Facts = std::map<std::string, std::string>;

constexpr std::string_view kColumnsOfChildren = R"(
SELECT c.oid::pg_catalog.regclass::text,
       pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
 WHERE c.relkind IN ('r', 'f') AND a.attnum > 0 AND NOT a.attisdropped
   AND c.oid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
                  WHERE p.relkind IN ('r', 'f'))
 GROUP BY c.oid)";

Facts columns_of_children(pg::Connection& connection) {
  Facts facts;
  for (const pg::Row row : connection.execute(kColumnsOfChildren)) {
    facts["column order of table " + std::string(row.text(0))] = std::string(row.text(1)) + "\n";
  }
  return facts;
}

// Relations that one side lacks belong to another table or to none.
void compare_column_orders(pg::Connection& source, pg::Connection& target, std::vector<BeyondDifference>& differences) {
  const Facts there = columns_of_children(target);
  for (const auto& [object, text] : columns_of_children(source)) {
    const auto found = there.find(object);
    if (found != there.end() && found->second != text) differences.push_back({object, text, found->second});
  }
}

using Objects = std::map<std::string, ExtensionTableObject>;

Objects objects_of_extension_tables(pg::Connection& connection) {
  Objects objects;
  for (ExtensionTableObject& object : read_extension_table_objects(connection)) {
    const std::string identity = object.identity;
    objects[identity] = std::move(object);
  }
  return objects;
}

void compare_extension_tables(pg::Connection& source, pg::Connection& target,
                              std::vector<BeyondDifference>& differences) {
  const Objects here = objects_of_extension_tables(source);
  const Objects there = objects_of_extension_tables(target);
  const std::set<std::string> versions_here = read_extension_versions(source);
  const std::set<std::string> versions_there = read_extension_versions(target);
  for (const auto& [identity, object] : here) {
    const auto found = there.find(identity);
    const bool is_of_one_version = versions_there.contains(object.extension);
    if (found == there.end()) {
      differences.push_back({identity, object.statement + "\n", "", !is_of_one_version});
    } else if (found->second.statement != object.statement) {
      const bool may_be_equal =
          !is_of_one_version || may_be_printed_otherwise(object.statement, found->second.statement);
      differences.push_back({identity, object.statement + "\n", found->second.statement + "\n", may_be_equal});
    }
  }
  for (const auto& [identity, object] : there) {
    if (here.contains(identity)) continue;
    differences.push_back({identity, "", object.statement + "\n", !versions_here.contains(object.extension)});
  }
}

}  // namespace

std::vector<BeyondDifference> compare_beyond_pg_dump(pg::Connection& source, pg::Connection& target) {
  std::vector<BeyondDifference> differences;
  const DatabaseInfo here = read_database_info(source);
  const DatabaseInfo there = read_database_info(target);
  if (!differences_of(here, there).empty()) {
    differences.push_back({"the database itself", here.describe() + "\n", there.describe() + "\n"});
  }
  compare_column_orders(source, target, differences);
  compare_extension_tables(source, target, differences);
  for (BeyondDifference& difference : compare_extension_members(read_extension_members(source), target)) {
    differences.push_back(std::move(difference));
  }
  return differences;
}

}  // namespace pgsluice::schema
