#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/catalog/beyond_pg_dump.h"

namespace pgsluice::schema {

// pg_dump writes nothing of what belongs to an extension, since CREATE EXTENSION makes it.

/// The members of an extension.
struct ExtensionMember {
  std::string identity;    ///< "function public.akeys(public.hstore)"
  std::string extension;   ///< with its version: "hstore 1.8"
  std::string attributes;  ///< of a function or procedure: "IMMUTABLE STRICT …", and its settings; empty for others
  std::string statement;   ///< gives a function these: "ALTER FUNCTION …"
};

/// Returns the members of the extensions of the session's database. Expects an empty search_path. Throws
/// Error(kServer).
std::vector<ExtensionMember> read_extension_members(pg::Connection& server);

/// Compares members of extensions that both databases have in one version: those that users have added
/// (ALTER EXTENSION … ADD), and functions whose attributes they have changed (ALTER FUNCTION). Throws Error(kServer).
std::vector<BeyondDifference> compare_extension_members(const std::vector<ExtensionMember>& source,
                                                        pg::Connection& target);
/// True if a difference is one of these.
bool is_of_extension_members(const BeyondDifference& difference);

}  // namespace pgsluice::schema
