#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/entry_sql.h"

namespace pgsluice::schema {

/// Privileges as the source has them, on a target whose user may not act for everybody. A superuser's GRANT is the
/// owner's; of anybody else the server picks a grantor among the roles that he is a member of. So the owner's part is
/// done by SET ROLE to the owner, and what another role has granted by SET ROLE to that role: the ACL comes out the
/// same. What a role out of reach (RestoreOptions) has granted comes from the owner instead.

struct Grant {
  std::string grantee;  ///< empty: PUBLIC
  std::string privilege;
  bool with_grant_option = false;
  std::string grantor;  ///< empty: the owner
};

/// Where an ACL is: the catalog's table, its columns, and which row.
struct AclPlace {
  std::string_view catalog;
  std::string_view acl;
  std::string_view owner;
  std::string condition;
};

/// In its order. Throws Error(kServer).
std::vector<Grant> read_grants(pg::Connection& source, const AclPlace& place);

/// Returns the roles that have granted privileges on objects of others that an archive has (not databases, not large
/// objects), in the session's database. Throws Error(kServer).
RoleNames read_grantors(pg::Connection& source);

/// Takes everything from PUBLIC and the owner, then makes the grants in their order: for one transaction, since it uses
/// SET LOCAL. `object` as in GRANT ON: "DATABASE shop", "LARGE OBJECT 1, 2".
std::string acl_sql(std::string_view object, std::string_view owner, const std::vector<Grant>& grants,
                    const RestoreOptions& options);

/// Returns the roles that have granted something and are out of reach.
RoleNames grantors_out_of_reach(const std::vector<Grant>& grants, const RestoreOptions& options);

/// In whose name the owner's part of an entry is done: by the user where the object is not given to its owner (as the
/// archive has it) by the same copy: it may have another one there, and the server only warns of what has no effect.
enum class OwnersPart { kByOwner, kByCurrentUser };

/// Like the above, for an archive's entry, in which pg_dump has written SET SESSION AUTHORIZATION around what others
/// have granted: only superusers may do that.
std::string acl_definition(const TocEntry& entry, const RestoreOptions& options, OwnersPart owners_part);
/// All of it in the name of the target's user, as pg_restore would do it but for other grantors.
std::string acl_as_current_user(const TocEntry& entry);
/// Returns the roles other than the owner that have granted something in an entry.
RoleNames grantors_of(const TocEntry& entry);

}  // namespace pgsluice::schema
