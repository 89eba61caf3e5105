#pragma once

#include <string>
#include <string_view>

#include "pg/connection.h"
#include "pgsluice/migration/migration.h"
#include "pgsluice/migration/validation_request.h"
#include "schema/selection/selection.h"

namespace pgsluice::migration {

/// The part of a validation's context that is about the target, whatever the source is.
struct TargetContext {
  const ValidationRequest& request;
  /// For a server's validation: a session in any database. For a database's: in that one if it exists, or any one.
  pg::Connection& target;
  Log log;
  CancelToken cancel;
  /// For a database's validation: true if the target has it already and it is copied into as it is.
  bool is_there = false;
};

/// The context of a validation where the source is a server.
struct ValidationContext : TargetContext {
  /// For a server's validation: a session in any database. For a database's: in that one.
  pg::Connection& source;
  /// For a database's validation: what is not copied, and so may be as it is.
  schema::Selection selection = {};

  /// For rows whose last two columns are the catalog (tableoid) and the oid of an object.
  bool is_omitted(const pg::Row& row) const;
};

/// Reads what the options leave out of the source's database.
schema::Selection read_selection(const ValidationRequest& request, pg::Connection& source, pg::Connection& target);

/// Adds what it finds.
inline void warn(Validation& validation, std::string message) {
  validation.findings.push_back({ValidationState::kWarning, std::move(message)});
}
inline void fail(Validation& validation, std::string message) {
  validation.findings.push_back({ValidationState::kFailed, std::move(message)});
}
inline void note(Validation& validation, std::string message) {
  validation.findings.push_back({ValidationState::kSucceeded, std::move(message)});
}

/// Returns what a failed connection means, and what to do about it.
Finding explain_connection_error(const Error& error, const pg::ConnInfo& conninfo,
                                 const std::vector<std::string>& databases);
/// "db.example.com (10.0.0.5, private)", and what the networks of the two have to be told of.
std::string describe_address(const pg::ConnInfo& conninfo);
std::optional<std::string> networking_advice(const pg::ConnInfo& source, const pg::ConnInfo& target);

/// Each is one validation of those that docs/migration.md lists; they throw Error only where a session is lost or
/// cancelled.
Validation validate_versions(const ValidationContext& context);
Validation validate_parameters(const ValidationContext& context);
Validation validate_roles(const ValidationContext& context);
Validation validate_overwrite(const TargetContext& context);
Validation validate_schema(const ValidationContext& context);
Validation validate_extensions(const ValidationContext& context);
Validation validate_collations(const ValidationContext& context);
Validation validate_permissions(const ValidationContext& context);
Validation validate_space(const ValidationContext& context);

/// True if the session's user is a superuser; true if the server is one whose users never are.
bool is_superuser(pg::Connection& session);
bool is_managed(pg::Connection& session);

}  // namespace pgsluice::migration
