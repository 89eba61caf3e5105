#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pgsluice/pg/connection.h"

namespace pgsluice::schema {

/// Privileges as the source has them, on a target whose user may not act for everybody: a grant that is not its owner's
/// is made by SET ROLE to who has granted it, so that the ACL comes out the same. What a role out of reach
/// (inventory.h) has granted comes from the owner instead.
using RoleNames = std::set<std::string, std::less<>>;

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

/// Who has granted privileges on what others own, in the session's database. Throws Error(kServer).
RoleNames read_grantors(pg::Connection& source);

/// Takes everything from PUBLIC and the owner, then makes the grants: for one transaction, since it uses SET LOCAL.
/// `object` as in GRANT ON: "DATABASE shop", "LARGE OBJECT 1, 2".
std::string acl_sql(std::string_view object, std::string_view owner, const std::vector<Grant>& grants,
                    const RoleNames& out_of_reach);

/// Those who are out of reach and have granted something.
RoleNames grantors_out_of_reach(const std::vector<Grant>& grants, const RoleNames& out_of_reach);

/// The same for an entry of an archive, in which pg_dump has written SET SESSION AUTHORIZATION around what others have
/// granted: only superusers may do that.
std::string acl_definition(std::string_view definition, const RoleNames& out_of_reach);
/// Those whom a definition names so.
RoleNames grantors_of(std::string_view definition);

}  // namespace pgsluice::schema
