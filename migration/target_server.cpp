#include "pgsluice/migration/target_server.h"

#include <fmt/format.h>

#include <array>

#include "pgsluice/base/digest.h"
#include "pgsluice/migration/validator.h"
#include "pgsluice/pg/quote.h"

namespace pgsluice::migration {

namespace {

constexpr int kForce = 130000;  // DROP DATABASE … WITH (FORCE)

// Of pg_advisory_lock(), in the database that migrations of the server work from: that of the ledger's locks ("pgsl"),
// and this lock's own.
constexpr const char* kTryLock = "SELECT pg_catalog.pg_try_advisory_lock(1885827948, 2)";

// A lock is of one database, and who migrates that one has his in another: the lock table shows all.
constexpr const char* kIsLockedElsewhere =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND classid = 1885827948"
    " AND objid = 2 AND objsubid = 2 AND pid <> pg_catalog.pg_backend_pid())";

// What is not yet the database itself: the same for each try, so that what is left of one is found.
std::string temporary_name(const std::string& name) { return "pgsluice_" + digest_of(name).hex(); }

void drop_database(pg::Connection& server, const std::string& name) {
  const std::string quoted = pg::quote_identifier(name);
  if (server.server_version() >= kForce) {
    server.execute(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted));
    return;
  }
  const std::array<std::string, 1> parameters = {name};
  server.execute(
      "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
      " WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid()",
      parameters);
  server.execute(fmt::format("DROP DATABASE IF EXISTS {}", quoted));
}

void explain(Error& error, const std::string& name, std::string_view step, std::string_view hint) {
  error.object("database " + pg::display_name("", name)).step(step);
  if (error.kind() == ErrorKind::kServer) error.hint(hint);
}

// Ends the half of a database that could not take its place.
void drop_quietly(pg::Connection& server, const std::string& name, const Log& log) {
  try {
    drop_database(server, name);
  } catch (const Error& error) {
    log.warning(fmt::format("the database {} is left on the target: {}", name, error.describe()));
  }
}

}  // namespace

std::map<std::string, DatabaseId> databases_of(pg::Connection& server) {
  std::map<std::string, DatabaseId> databases;
  for (const pg::Row row : server.execute("SELECT datname, oid FROM pg_catalog.pg_database")) {
    databases[std::string(row.text(0))] = row.oid(1);
  }
  return databases;
}

pg::Connection TargetServer::connect(const CancelToken& cancel) const {
  return connect_to_server(request_, Side::kTarget, log_, cancel);
}

void TargetServer::lock(const CancelToken& cancel) {
  const std::lock_guard guard(mutex_);
  try {
    if (holder_ && holder_->alive()) {
      holder_->execute("SELECT 1");
      return;
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    log_.notice(fmt::format("the session that keeps other migrations away was lost: {}", error.describe()));
  }
  holder_.reset();
  pg::Connection session = connect(cancel);
  if (!session.execute(kTryLock)[0].boolean(0) || session.execute(kIsLockedElsewhere)[0].boolean(0)) {
    throw Error(ErrorKind::kState, "another migration is at work on this server")
        .on(Side::kTarget)
        .hint("it is in another store: wait for its end");
  }
  holder_.emplace(std::move(session));
}

DatabaseId TargetServer::make_over(const schema::Database& database, Existing existing, DatabaseId ours,
                                   const CancelToken& cancel) {
  cancel.throw_if_cancelled();
  // Not to be cancelled from here on: between the drop and the new name nobody could say what is there.
  pg::Connection server = connect({});
  schema::Database made = database;
  made.name = temporary_name(database.name);
  try {
    server.execute("SET default_transaction_read_only = off");
    drop_database(server, made.name);
    // Whoever looks at each new database would be in the way of its renaming.
    server.execute(schema::create_sql(made, server.server_version(), request_.engine.restore.tablespaces) +
                   " ALLOW_CONNECTIONS false");
    if (request_.engine.restore.owners && request_.engine.database_properties) schema::give_to_owner(server, made);
  } catch (Error& error) {
    explain(error, database.name, "making the database",
            "the user needs CREATEDB, and the server the source's locale; the database that was there is as it was");
    throw;
  }
  try {
    const std::map<std::string, DatabaseId> there = databases_of(server);
    const auto it = there.find(database.name);
    const bool is_ours = it != there.end() && ours != 0 && it->second == ours;
    if (existing == Existing::kReplaced || is_ours) drop_database(server, database.name);
  } catch (Error& error) {
    if (error.kind() == ErrorKind::kServer) drop_quietly(server, made.name, log_);
    explain(error, database.name, "dropping the database", "its owner, or a superuser, may drop it");
    throw;
  }
  give_name(server, made.name, database.name);
  return databases_of(server)[database.name];
}

void TargetServer::give_name(pg::Connection& server, const std::string& made, const std::string& name) {
  const std::string quoted = pg::quote_identifier(name);
  try {
    // In one transaction: it has its name and is open, or neither.
    server.execute(fmt::format("ALTER DATABASE {0} RENAME TO {1}; ALTER DATABASE {1} ALLOW_CONNECTIONS true",
                               pg::quote_identifier(made), quoted));
  } catch (Error& error) {
    constexpr std::string_view kDuplicateDatabase = "42P04";
    if (error.sqlstate() == kDuplicateDatabase) {
      drop_quietly(server, made, log_);
      throw Error(ErrorKind::kState, "there is a database of that name by now")
          .on(Side::kTarget)
          .object("database " + pg::display_name("", name))
          .hint("it was left as it is; drop it, or let OverwriteDBsInTarget true do so");
    }
    explain(error, name, "naming the database", fmt::format("it is on the target under the name {}", made));
    throw;
  }
}

TargetServer::Dropped TargetServer::drop(const std::string& name, DatabaseId made, const CancelToken& cancel) {
  pg::Connection server = connect(cancel);
  const std::map<std::string, DatabaseId> there = databases_of(server);
  const auto found = there.find(name);
  if (found == there.end() || found->second != made) return Dropped::kAnother;
  try {
    server.execute("SET default_transaction_read_only = off");
    drop_database(server, name);
  } catch (Error& error) {
    explain(error, name, "dropping the database", "its owner, or a superuser, may drop it");
    throw;
  }
  return Dropped::kYes;
}

}  // namespace pgsluice::migration
