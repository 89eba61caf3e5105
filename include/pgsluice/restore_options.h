#pragma once

#include <map>
#include <set>
#include <string>

namespace pgsluice::schema {

using RoleNames = std::set<std::string, std::less<>>;

/// Which of the source's definitions are restored. Preparation sets the last two.
struct RestoreOptions {
  bool owners = true;
  bool acls = true;
  bool comments = true;
  bool tablespaces = true;
  bool extension_comments = true;
  bool collations = true;  ///< else they are taken to be on the target
  /// Roles for which the target's user may not act: their objects keep the user that makes them, and what
  /// they have granted comes from the owner. Empty for a superuser.
  RoleNames out_of_reach;
  /// The target's version, as server_version(); 0 if it does not matter.
  int target_version = 0;
};

/// Which version of an extension is to be made, for those that are named.
using ExtensionVersions = std::map<std::string, std::string, std::less<>>;

}  // namespace pgsluice::schema
