#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"
#include "pgsluice/cancel.h"
#include "pgsluice/error.h"
#include "pgsluice/log.h"
#include "schema/archive/pg_dump.h"

namespace pgsluice::schema {

/// A statement of pg_dumpall --roles-only.
struct RoleStatement {
  /// For kUnknown, which is not carried out, only the first word is kept, as its role: it may hold a password.
  enum class Kind { kCreate, kAlter, kSetting, kComment, kGrant, kUnknown };
  Kind kind = Kind::kCreate;
  std::string role;    ///< which it is about; of a GRANT, that which is given
  std::string member;  ///< of a GRANT, who gets it
  std::string sql;     ///< without the semicolon; may hold a password
};

/// Takes the text apart. Settings of the session and psql's commands are passed over.
std::vector<RoleStatement> parse_roles(std::string_view dump);

struct RoleDumpRequest {
  ClientProgram program;  ///< pg_dumpall
  pg::ConnInfo source;
  bool passwords = true;  ///< which only a superuser may read
};

/// The source's roles as pg_dumpall writes them, passwords and all. Throws Error(kServer) with what pg_dumpall said.
std::string dump_roles(const RoleDumpRequest& request, const CancelToken& cancel);

struct RolesOutcome {
  std::vector<std::string> created;
  std::vector<std::string> there_already;  ///< and left as they are
  /// Attributes that this user may not give and statements that are not known, for people: "role a: SUPERUSER".
  std::vector<std::string> not_given;
  /// Settings, memberships and comments that the server refused.
  std::vector<Error> failed;
};

/// Makes the roles that the target has not, with their attributes, settings, comments and memberships, in one
/// transaction. Without superuser's rights, what only they may give is left away. Throws Error: none was made.
RolesOutcome restore_roles(pg::Connection& target, const std::vector<RoleStatement>& statements);

}  // namespace pgsluice::schema
