#include "pgsluice/schema/beyond_pg_dump.h"

#include <map>
#include <string_view>

#include "pgsluice/schema/catalog.h"
#include "pgsluice/schema/extension_tables.h"

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

Facts objects_of_extension_tables(pg::Connection& connection) {
  Facts facts;
  for (ExtensionTableObject& object : read_extension_table_objects(connection)) {
    facts[std::move(object.identity)] = object.statement + "\n";
  }
  return facts;
}

enum class Compared { kTexts, kPresence };

// Objects that one side lacks are told of where only presence is compared; their texts are each server's own words.
void add_differences(const Facts& source, const Facts& target, Compared compared,
                     std::vector<BeyondDifference>& differences) {
  for (const auto& [object, text] : source) {
    const auto found = target.find(object);
    if (found == target.end()) {
      if (compared == Compared::kPresence) differences.push_back({object, text, ""});
    } else if (compared == Compared::kTexts && found->second != text) {
      differences.push_back({object, text, found->second});
    }
  }
  if (compared == Compared::kTexts) return;
  for (const auto& [object, text] : target) {
    if (!source.contains(object)) differences.push_back({object, "", text});
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
  add_differences(columns_of_children(source), columns_of_children(target), Compared::kTexts, differences);
  add_differences(objects_of_extension_tables(source), objects_of_extension_tables(target), Compared::kPresence,
                  differences);
  return differences;
}

}  // namespace pgsluice::schema
