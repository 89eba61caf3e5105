// OverwriteValidation: whether the target's databases can be made, or made over, and be connected to.
#include <fmt/format.h>

#include <array>

#include "base/sqlstate.h"
#include "migration/target_server.h"
#include "migration/validations/validations.h"
#include "pg/quote.h"
#include "pgsluice/migration/validator.h"
#include "pipeline/prepare/sessions.h"

namespace pgsluice::migration {

namespace {

struct DropBlocker {
  const char* sql;  ///< names what hinders, for a database
  const char* what;
  const char* advice;
};

// Reasons for which DROP DATABASE is refused, whatever the rights.
constexpr DropBlocker kDropBlockers[] = {
    {"SELECT datname FROM pg_catalog.pg_database WHERE datname = $1 AND datistemplate", "it is a template",
     "ALTER DATABASE {1} IS_TEMPLATE false"},
    {"SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = $1", "the transaction {0} is prepared in it",
     "COMMIT PREPARED or ROLLBACK PREPARED there"},
    {"SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE database = $1 AND active",
     "the replication slot {0} is in use", "stop who reads from it, and SELECT pg_drop_replication_slot('{0}')"},
    {"SELECT subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid"
     " WHERE d.datname = $1",
     "the subscription {0} is in it", "DROP SUBSCRIPTION {0} there"}};

void find_drop_blockers(const TargetContext& context, const std::string& database, Validation& validation) {
  const std::array<std::string, 1> name = {database};
  for (const DropBlocker& blocker : kDropBlockers) {
    for (const pg::Row row : context.target.execute(blocker.sql, name)) {
      const auto told = [&](const char* text) {
        return fmt::format(fmt::runtime(text), row.text(0), pg::quote_identifier(database));
      };
      fail(validation, fmt::format("database {}: is on the target and cannot be dropped, since {}: {}",
                                   pg::display_name("", database), told(blocker.what), told(blocker.advice)));
    }
  }
}

// DROP DATABASE drops the replication slots of the database, too, unless one is in use at that moment.
void warn_of_slots(const TargetContext& context, const std::string& database, Validation& validation) {
  const std::array<std::string, 1> name = {database};
  for (const pg::Row row : context.target.execute(
           "SELECT slot_name, plugin FROM pg_catalog.pg_replication_slots WHERE database = $1 AND NOT active", name)) {
    warn(validation, fmt::format("database {}: its replication slot {} ({}) is dropped with it: who reads from it has "
                                 "to begin anew",
                                 pg::display_name("", database), row.text(0), row.text(1)));
  }
}

// An earlier migration may have left a database under the name that this one gets while it is kept.
void find_taken_name(const TargetContext& context, const std::string& database, Validation& validation) {
  const std::array<std::string, 1> name = {kept_name(database)};
  if (context.target.execute("SELECT FROM pg_catalog.pg_database WHERE datname = $1", name).empty()) return;
  fail(validation,
       fmt::format("database {}: a database is kept as {} from an earlier migration: rename or drop it, since "
                   "the one that is there now gets this name",
                   pg::display_name("", database), name[0]));
}

// A server may let a user into some databases only (pg_hba.conf), which it tells before it looks for the database.
void try_to_connect(const TargetContext& context, const std::string& database, Validation& validation) {
  const pg::ConnInfo conninfo = context.target.conninfo().with("dbname", database);
  try {
    pg::Connection::open(conninfo, "validate", context.log, context.cancel);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    // A database that takes no connections (ALLOW_CONNECTIONS false) is dropped; the new one is its user's where
    // CONNECT was missing.
    for (const std::string_view passes : {sqlstate::kInvalidCatalogName, sqlstate::kObjectNotInPrerequisiteState,
                                          sqlstate::kInsufficientPrivilege, sqlstate::kTooManyConnections}) {
      if (error.sqlstate() == passes) return;
    }
    Finding finding = explain_connection_error(error, conninfo, {database});
    finding.message.insert(0, fmt::format("database {}: ", pg::display_name("", database)));
    validation.findings.push_back(std::move(finding));
  }
}

}  // namespace

Validation validate_overwrite(const TargetContext& context) {
  Validation validation;
  for (const std::string& database : context.request.databases) {
    if (context.request.kept.contains(database) || context.request.existing_targets.contains(database)) continue;
    const std::array<std::string, 1> name = {database};
    const bool is_there =
        !context.target.execute("SELECT FROM pg_catalog.pg_database WHERE datname = $1", name).empty();
    try_to_connect(context, database, validation);
    if (!is_there) continue;
    if (context.request.overwrite == Overwrite::kKeep) find_taken_name(context, database, validation);
    if (context.request.overwrite != Overwrite::kNo) {
      find_drop_blockers(context, database, validation);
      warn_of_slots(context, database, validation);
      warn(validation, fmt::format("database {}: is on the target ({}) and will be {}, its sessions ended",
                                   pg::display_name("", database), describe_database(context.target, database),
                                   context.request.overwrite == Overwrite::kKeep
                                       ? "renamed, kept until the new one is verified, then dropped"
                                       : "dropped"));
    } else {
      warn(validation,
           fmt::format("database {}: is on the target, where it stays, since OverwriteDBsInTarget is false: "
                       "unless this migration has made it, it fails for that; drop it, or let it be replaced",
                       pg::display_name("", database)));
    }
  }
  return validation;
}

}  // namespace pgsluice::migration
