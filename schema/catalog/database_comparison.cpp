#include "schema/catalog/database_comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

#include "schema/catalog/database_properties.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::schema {

namespace {

using Facts = std::map<std::string, std::string>;

// Privileges of all roles but the owner, granted by any role; {0} is the ACL, {1} the owner.
constexpr std::string_view kPrivilegesOfOthers =
    "(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.privilege_type, 'to', CASE WHEN a.grantee = 0 THEN"
    " 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END, CASE WHEN a.is_grantable THEN 'WITH GRANT OPTION'"
    " END), ', ' ORDER BY a.grantee = 0, pg_catalog.pg_get_userbyid(a.grantee), a.privilege_type)"
    " FROM pg_catalog.aclexplode({0}) a WHERE a.grantee <> {1})";

std::string privileges_of_others(std::string_view acl, std::string_view owner) {
  return fmt::format(fmt::runtime(kPrivilegesOfOthers), acl, owner);
}

bool is_read_only_setting(const std::string& description) {
  return description.starts_with("setting default_transaction_read_only ");
}

Facts facts_of(pg::Connection& server) {
  Facts facts;
  for (const DatabaseProperty& property : read_database_properties(server, "database", {.acls = false})) {
    if (!is_read_only_setting(property.description)) facts[property.description] = property.statement;
  }
  const pg::Result privileges =
      server.execute("SELECT coalesce(" +
                     privileges_of_others("coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))", "d.datdba") +
                     ", '') FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()");
  facts["privileges on the database"] = privileges[0].text(0);
  return facts;
}

std::string owner_of_database(pg::Connection& server) {
  return std::string(server
                         .execute("SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database"
                                  " WHERE datname = pg_catalog.current_database()")[0]
                         .text(0));
}

bool role_exists(pg::Connection& server, const std::string& role) {
  const std::array<std::string, 1> name = {role};
  return !server.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = $1", name).empty();
}

// True if the target's user can make this role an owner.
bool owner_can_be_set(pg::Connection& target, const std::string& owner) {
  return role_exists(target, owner) && may_act_for(target, owner);
}

// SQL for a line for each object of one bucket, or for a digest of every bucket.
std::string large_object_sql(std::string_view columns) {
  return fmt::format(
      "SELECT {} FROM (SELECT m.oid, pg_catalog.pg_get_userbyid(m.lomowner)::text AS owner,"
      " pg_catalog.concat_ws('; ', {}, pg_catalog.obj_description(m.oid, 'pg_largeobject')) AS rest"
      " FROM pg_catalog.pg_largeobject_metadata m) o",
      columns, privileges_of_others("coalesce(m.lomacl, pg_catalog.acldefault('L', m.lomowner))", "m.lomowner"));
}

constexpr int kInABucket = 10'000;

Facts digests_of_large_objects(pg::Connection& server) {
  Facts facts;
  const std::string sql = large_object_sql(fmt::format(
      "o.oid::bigint / {}, sum(('x' || pg_catalog.substr(pg_catalog.md5(o.oid || o.owner || '; ' || o.rest), 1, 15))"
      "::bit(60)::bigint)",
      kInABucket));
  for (const pg::Row row : server.execute(sql + " GROUP BY 1")) facts[std::string(row.text(0))] = row.text(1);
  return facts;
}

struct LargeObject {
  std::string owner;
  std::string rest;  ///< privileges and comment

  std::string text() const { return fmt::format("owner {}{}{}\n", owner, rest.empty() ? "" : "; ", rest); }
};

std::map<std::int64_t, LargeObject> large_objects_of(pg::Connection& server, const std::string& bucket) {
  std::map<std::int64_t, LargeObject> objects;
  const std::array<std::string, 1> value = {bucket};
  for (const pg::Row row : server.execute(large_object_sql("o.oid, o.owner, o.rest") +
                                              fmt::format(" WHERE o.oid::bigint / {} = $1::bigint", kInABucket),
                                          value)) {
    objects[row.integer(0)] = {std::string(row.text(1)), std::string(row.text(2))};
  }
  return objects;
}

}  // namespace

std::vector<BeyondDifference> compare_database_properties(pg::Connection& source, pg::Connection& target) {
  const Facts on_source = facts_of(source);
  const Facts on_target = facts_of(target);
  std::set<std::string> objects;
  for (const Facts* facts : {&on_source, &on_target}) {
    for (const auto& [object, text] : *facts) objects.insert(object);
  }
  // In a maintenance window the source refuses connections; the target is meant to accept them.
  const bool refuses_connections = !read_freezes(source, "database").empty();
  std::vector<BeyondDifference> differences;
  for (const std::string& object : objects) {
    const bool admits = object == "privileges on the database" || object == "connection limit of the database";
    if (refuses_connections && admits) continue;
    if (object == "owner of the database" && !owner_can_be_set(target, owner_of_database(source))) continue;
    const auto text_of = [&](const Facts& facts) {
      const auto found = facts.find(object);
      return found == facts.end() || found->second.empty() ? std::string() : found->second + "\n";
    };
    if (text_of(on_source) != text_of(on_target))
      differences.push_back({object, text_of(on_source), text_of(on_target)});
  }
  return differences;
}

std::vector<BeyondDifference> compare_large_object_metadata(pg::Connection& source, pg::Connection& target) {
  constexpr std::size_t kMaxNamed = 10;
  const Facts on_source = digests_of_large_objects(source);
  const Facts on_target = digests_of_large_objects(target);
  std::map<std::string, bool> may_give;
  std::vector<BeyondDifference> differences;
  for (const auto& [bucket, digest] : on_source) {
    const auto found = on_target.find(bucket);
    if (found == on_target.end() || found->second == digest) continue;
    const std::map<std::int64_t, LargeObject> others = large_objects_of(target, bucket);
    for (const auto& [oid, object] : large_objects_of(source, bucket)) {
      const auto other = others.find(oid);
      if (other == others.end()) continue;  // 'compare data' reports it
      const auto [owner, is_new] = may_give.try_emplace(object.owner, false);
      if (is_new) owner->second = owner_can_be_set(target, object.owner);
      const bool has_other_owner = object.owner != other->second.owner && owner->second;
      if (!has_other_owner && object.rest == other->second.rest) continue;
      differences.push_back({fmt::format("large object {}", oid), object.text(), other->second.text()});
      if (differences.size() == kMaxNamed) return differences;
    }
  }
  return differences;
}

}  // namespace pgsluice::schema
