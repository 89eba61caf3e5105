#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "schema/archive/archive.h"

namespace pgsluice::schema {

using RoleNames = std::set<std::string, std::less<>>;

/// What of an archive is wanted.
struct RestoreOptions {
  bool owners = true;
  bool acls = true;
  bool comments = true;
  bool tablespaces = true;
  bool extension_comments = true;
  bool collations = true;  ///< else they are taken to be on the target
  /// Roles for which the target's user may not act (inventory.h): their objects keep the user that makes them, and what
  /// they have granted comes from the owner. Empty for a superuser.
  RoleNames out_of_reach;
  /// The target's version, as server_version(); 0 if it does not matter.
  int target_version = 0;
};

/// True if an entry is restored by statements of its own: not the session's settings, not what belongs to the database
/// as a whole (database_properties.h), not what the options leave out.
bool is_restored(const TocEntry& entry, const RestoreOptions& options);

/// Settings that the archive was written for, to be sent once in a session that restores entries.
std::string session_sql(const Archive& archive);

/// What an entry needs set before its definition, for the length of its transaction: tablespace, access method and,
/// for an archive without a search path of its own, the schema.
std::string settings_sql(const Archive& archive, const TocEntry& entry, const RestoreOptions& options);

/// "ALTER TABLE … OWNER TO …;", or empty for an entry whose kind has no owner. Before 17, a range type's multirange
/// type does not follow it: for such a target it is given to the owner as well.
std::string owner_sql(const TocEntry& entry, int target_version = 0);

/// A function's or procedure's definition that takes the place of one that is there; nullopt for other definitions.
std::optional<std::string> replacing_definition(std::string_view definition);

/// What follows a definition besides the owner: the access method of a partitioned table.
std::string access_method_sql(const TocEntry& entry);

/// The whole text for one entry, to be sent as one query message, which the server takes as one transaction.
/// `definition` stands for the entry's own where another one is to be used.
std::string entry_sql(const Archive& archive, const TocEntry& entry, const RestoreOptions& options,
                      std::string_view definition);

}  // namespace pgsluice::schema
