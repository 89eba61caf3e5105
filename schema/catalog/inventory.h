#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// The objects of the target before a copy, as far as they decide what is done.
struct TargetInventory {
  std::set<std::string, std::less<>> schemas;
  std::map<std::string, std::string, std::less<>> extensions;  ///< with the schema of each
  /// Extensions whose comment this user may not set.
  std::set<std::string, std::less<>> others_extensions;
  /// Schemas whose comment and privileges this user may not set.
  std::set<std::string, std::less<>> others_schemas;
  std::set<std::string, std::less<>> roles;
  std::set<std::string, std::less<>> tablespaces;

  /// Sees schemas and extensions as they were before an unfinished copy.
  void see_as_before(const TargetInventory& before);
};

/// The names of the extensions.
std::set<std::string, std::less<>> extensions_of(const TargetInventory& inventory);

/// True if this user may make objects in the name of another role, and give it objects: SET ROLE and OWNER TO. From 16
/// on, being a member is not enough. False where there is no such role.
bool may_act_for(pg::Connection& target, std::string_view role);
/// The roles for which it may not.
std::set<std::string, std::less<>> roles_out_of_reach(pg::Connection& target);

TargetInventory read_inventory(pg::Connection& target);

struct TargetObjects {
  /// Objects that the archive would make and that exist on the target: "relation public.orders".
  std::vector<std::string> conflicts;
  /// How many objects of the archive the target has not.
  std::size_t missing = 0;
  /// How many other objects the target has.
  std::size_t others = 0;
};

/// Looks at the target's relations, types and functions outside extensions. Both connections have an empty search path.
TargetObjects find_target_objects(const Archive& archive, pg::Connection& source, pg::Connection& target);
/// Like the above, without a source: by the names in the archive.
TargetObjects find_target_objects(const Archive& archive, pg::Connection& target);

}  // namespace pgsluice::schema
