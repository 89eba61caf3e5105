#pragma once

#include <set>
#include <string>
#include <vector>

#include "pgsluice/pg/connection.h"
#include "pgsluice/schema/archive.h"

namespace pgsluice::schema {

/// What the target has before a copy, as far as it decides what is done.
struct TargetInventory {
  std::set<std::string, std::less<>> schemas;
  std::set<std::string, std::less<>> extensions;
  /// Extensions whose comment this user may not set.
  std::set<std::string, std::less<>> foreign_extensions;
  std::set<std::string, std::less<>> roles;
  std::set<std::string, std::less<>> access_methods;
  std::set<std::string, std::less<>> tablespaces;
};

/// The privilege for pg_has_role() that SET ROLE and OWNER TO ask for: from 16 on, being a member is not enough.
std::string role_membership(int server_version);

TargetInventory read_inventory(pg::Connection& target);

/// Relations, types and functions that the archive would make and that are on the target already, outside
/// extensions: "table public.orders". Both connections have an empty search path.
std::vector<std::string> find_conflicts(const Archive& archive, pg::Connection& source, pg::Connection& target);

}  // namespace pgsluice::schema
