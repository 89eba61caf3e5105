#include "migration/target_server.h"

#include <fmt/format.h>

#include <array>

#include "base/counted.h"
#include "base/digest.h"
#include "base/sqlstate.h"
#include "migration/remedies.h"
#include "migration/server_connection.h"
#include "pg/advisory_lock.h"
#include "pg/quote.h"
#include "pg/snapshot.h"
#include "pg/version.h"

namespace pgsluice::migration {

namespace {

constexpr const char* kOwnPrefix = "pgsluice_";
constexpr const char* kKeptPrefix = "pgsluice_kept_";
// By it a database is known as a migration's until it has its own name.
constexpr const char* kOwnComment = "made by a pgsluice migration, which drops it";

enum class Whose { kNobodys, kOurs, kOthers };

// Databases that migrations have made have the comment, and those that they keep are closed.
Whose whose(pg::Connection& server, const std::string& name) {
  const std::array<std::string, 2> parameters = {name, kOwnComment};
  const pg::Result found = server.execute(
      "SELECT NOT datallowconn OR coalesce(pg_catalog.shobj_description(oid, 'pg_database') = $2, false)"
      " FROM pg_catalog.pg_database WHERE datname = $1",
      parameters);
  if (found.empty()) return Whose::kNobodys;
  return found[0].boolean(0) ? Whose::kOurs : Whose::kOthers;
}

void refuse_others(pg::Connection& server, const std::string& name) {
  if (whose(server, name) != Whose::kOthers) return;
  throw Error(ErrorKind::kState, fmt::format("the target has a database named {} that no migration has made", name))
      .on(Side::kTarget)
      .hint("migrations need this name for a moment: rename or drop it");
}

// Ends a database's sessions and runs statements that the server refuses while one is connected. The server waits up to
// five seconds for the ended ones and admits no new one meanwhile, but one may have connected just before.
void run_without_sessions(pg::Connection& server, const std::string& name, const std::string& statements) {
  constexpr int kTries = 10;
  const std::array<std::string, 1> parameters = {name};
  for (int tries = 1;; ++tries) {
    server.execute(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
        " WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid()",
        parameters);
    try {
      server.execute(statements);
      return;
    } catch (const Error& error) {
      if (error.sqlstate() != sqlstate::kObjectInUse || tries == kTries) throw;
      // If no session is left, something else is in the way, a prepared transaction for example, and stays.
      const pg::Result sessions =
          server.execute("SELECT FROM pg_catalog.pg_stat_activity WHERE datname = $1", parameters);
      if (sessions.empty() && tries > 1) throw;
    }
  }
}

void drop_database(pg::Connection& server, const std::string& name) {
  const std::string quoted = pg::quote_identifier(name);
  if (server.server_version() >= pg::since::kDropDatabaseForce) {
    server.execute(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted));
    return;
  }
  run_without_sessions(server, name, fmt::format("DROP DATABASE IF EXISTS {}", quoted));
}

void explain(Error& error, const std::string& name, std::string_view step, std::string_view hint) {
  error.object("database " + pg::display_name("", name)).step(step);
  if (error.kind() == ErrorKind::kServer) error.hint(hint);
}

// In one transaction: at any moment the database either has its name and is open, or is kept and closed.
void rename_aside(pg::Connection& server, const std::string& name, const std::string& kept_as) {
  run_without_sessions(server, name,
                       fmt::format("ALTER DATABASE {0} RENAME TO {1}; ALTER DATABASE {1} ALLOW_CONNECTIONS false",
                                   pg::quote_identifier(name), pg::quote_identifier(kept_as)));
}

// Ends the half of a database that could not take its place.
void drop_quietly(pg::Connection& server, const std::string& name, const Log& log) {
  try {
    drop_database(server, name);
  } catch (const Error& error) {
    log.warning(fmt::format("the database {} is left on the target: {}", name, describe(error)));
  }
}

}  // namespace

std::string temporary_name(const std::string& name) { return kOwnPrefix + digest_of(name).hex(); }

std::string kept_name(const std::string& name) { return kKeptPrefix + digest_of(name).hex(); }

bool is_own_name(const std::string& name) {
  constexpr std::size_t kDigits = 32;
  const std::size_t prefix = name.starts_with(kKeptPrefix)  ? std::string_view(kKeptPrefix).size()
                             : name.starts_with(kOwnPrefix) ? std::string_view(kOwnPrefix).size()
                                                            : name.size();
  return name.size() == prefix + kDigits && name.find_first_not_of("0123456789abcdef", prefix) == std::string::npos;
}

std::map<std::string, DatabaseId> databases_of(pg::Connection& server) {
  std::map<std::string, DatabaseId> databases;
  for (const pg::Row row : server.execute("SELECT datname, oid FROM pg_catalog.pg_database")) {
    databases[std::string(row.text(0))] = row.oid(1);
  }
  return databases;
}

std::string describe_database(pg::Connection& server, const std::string& name) {
  const std::array<std::string, 1> parameters = {name};
  const pg::Row row = server.execute(
      "SELECT CASE WHEN pg_catalog.has_database_privilege(oid, 'CONNECT') THEN pg_catalog.pg_database_size(oid) END,"
      " pg_catalog.pg_get_userbyid(datdba),"
      // A validation's own session may not have ended yet.
      " (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid"
      "   AND a.application_name <> 'pgsluice: validate')"
      " FROM pg_catalog.pg_database d WHERE datname = $1",
      parameters)[0];
  const std::string size = row.is_null(0) ? "of a size that may not be read" : to_string(Bytes{row.integer(0)});
  return fmt::format("{}, owner {}, {}", size, pg::display_name("", row.text(1)), counted(row.integer(2), "session"));
}

pg::Connection TargetServer::connect(const CancelToken& cancel) const {
  return connect_to_server(request_, Side::kTarget, log_, cancel);
}

void TargetServer::expect(std::string system) { system_ = std::move(system); }

pg::Connection TargetServer::connect_to_change(const CancelToken& cancel) const {
  pg::Connection server = connect(cancel);
  const std::string system = pg::system_identifier(server);
  if (system_.empty() || system.empty() || system == system_) return server;
  throw Error(ErrorKind::kState, "another server answers at the target's address than the one that was migrated to")
      .on(Side::kTarget)
      .hint(
          "nothing was changed on it; for this server, create another migration: this one knows databases that it "
          "does not have");
}

void TargetServer::lock(const CancelToken& cancel) {
  cancel.throw_if_cancelled();
  const MutexLock guard(mutex_);
  try {
    if (holder_ && holder_->alive()) {
      // A session whose work was cancelled cannot be asked any more; it has the lock until it is closed.
      if (!holder_->cancel_token().cancelled()) holder_->execute("SELECT 1");
      return;
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    log_.notice(fmt::format("the session that keeps other migrations away was lost: {}", describe(error)));
  }
  holder_.reset();
  pg::Connection session = connect(cancel);
  // The migration of the database that this session is in holds its lock in another one.
  constexpr pg::AdvisoryLock kLock = pg::AdvisoryLock::kMigration;
  if (!pg::lock_on_server(session, kLock)) {
    throw Error(ErrorKind::kState, "another migration is at work on the target server")
        .hint("it is in another store: wait for its end");
  }
  holder_.emplace(std::move(session));
}

void TargetServer::make(pg::Connection& server, const schema::Database& database, const std::string& temporary) {
  schema::Database made = database;
  made.name = temporary;
  try {
    server.execute("SET default_transaction_read_only = off");
    refuse_others(server, temporary);
    drop_database(server, temporary);
    // A session of a program that looks at each new database would be in the way of its renaming.
    server.execute(schema::create_sql(made, server.server_version(), request_.engine.restore.tablespaces) +
                   " ALLOW_CONNECTIONS false");
    server.execute(
        fmt::format("COMMENT ON DATABASE {} IS {}", pg::quote_identifier(temporary), pg::quote_literal(kOwnComment)));
  } catch (Error& error) {
    explain(error, database.name, "making the database",
            "the user needs CREATEDB, and the server the source's locale; the database that was there is as it was");
    throw;
  }
}

DatabaseId TargetServer::create_or_replace(const schema::Database& database, Overwrite overwrite, DatabaseId ours,
                                           DatabaseId checked, const BeforeReplacing& before_replacing,
                                           const CancelToken& cancel) {
  cancel.throw_if_cancelled();
  // Not to be cancelled from here on: between the drop and the new name the target's state would be unknown.
  pg::Connection server = connect_to_change({});
  Making making{.temporary = temporary_name(database.name)};
  make(server, database, making.temporary);
  schema::Database made = database;
  made.name = making.temporary;
  try {
    if (request_.engine.restore.owners && request_.engine.database_properties) schema::give_to_owner(server, made);
    const std::map<std::string, DatabaseId> there = databases_of(server);
    making.id = there.at(making.temporary);
    const auto existing = there.find(database.name);
    const bool is_there = existing != there.end();
    const bool is_ours = is_there && ours != 0 && existing->second == ours;
    if (is_there && !is_ours && overwrite != Overwrite::kNo) {
      if (existing->second != checked) {
        throw Error(ErrorKind::kState, "another database of that name was created on the target meanwhile")
            .hint("it was left as it is; resume the migration, which then checks and replaces it, or drop it");
      }
      making.replaced = describe_database(server, database.name);
      if (overwrite == Overwrite::kKeep) {
        making.kept_as = kept_name(database.name);
        making.kept_id = existing->second;
        if (there.contains(making.kept_as)) {
          throw Error(
              ErrorKind::kState,
              fmt::format("a database is kept as {} already, by an earlier attempt or migration", making.kept_as))
              .hint("give one of the two another name: the one that is there now is kept under it");
        }
      }
    }
    before_replacing(making);
    if (is_ours || (is_there && overwrite == Overwrite::kYes)) {
      drop_database(server, database.name);
    } else if (is_there && overwrite == Overwrite::kKeep) {
      rename_aside(server, database.name, making.kept_as);
    }
  } catch (Error& error) {
    if (!error.poisons_connection()) drop_quietly(server, making.temporary, log_);
    explain(error, database.name, "replacing the database", "its owner, or a superuser, may drop or rename it");
    throw;
  }
  give_name(server, making.temporary, database.name);
  return making.id;
}

std::string TargetServer::make_temporary(const schema::Database& database, const CancelToken& cancel) {
  pg::Connection server = connect_to_change(cancel);
  const std::string temporary = temporary_name(database.name);
  make(server, database, temporary);
  const std::string quoted = pg::quote_identifier(temporary);
  server.execute(
      fmt::format("REVOKE ALL ON DATABASE {0} FROM PUBLIC; ALTER DATABASE {0} ALLOW_CONNECTIONS true", quoted));
  return temporary;
}

TargetServer::Dropped TargetServer::drop_kept(const std::string& kept_as, DatabaseId id, const CancelToken& cancel) {
  if (id != 0) return drop(kept_as, id, cancel);
  return drop_own(kept_as, cancel) ? Dropped::kYes : Dropped::kAnother;
}

bool TargetServer::drop_own(const std::string& name, const CancelToken& cancel) {
  pg::Connection server = connect_to_change(cancel);
  if (whose(server, name) != Whose::kOurs) return false;
  server.execute("SET default_transaction_read_only = off");
  drop_database(server, name);
  return true;
}

TargetServer::GivenBack TargetServer::give_back(const std::string& kept_as, DatabaseId id, const std::string& name,
                                                const CancelToken& cancel) {
  pg::Connection server = connect_to_change(cancel);
  const std::map<std::string, DatabaseId> there = databases_of(server);
  server.execute("SET default_transaction_read_only = off");
  // Its renaming may not have come about; and another migration may have kept one under the same name.
  const auto kept = there.find(kept_as);
  const bool is_kept = kept != there.end() && (id == 0 || kept->second == id);
  if (!is_kept) {
    const auto named = there.find(name);
    const bool has_its_name = named != there.end() && (id == 0 || named->second == id);
    return has_its_name ? GivenBack::kYes : GivenBack::kIsGone;
  }
  if (there.contains(name)) return GivenBack::kNameIsTaken;
  server.execute(fmt::format("ALTER DATABASE {0} RENAME TO {1}; ALTER DATABASE {1} ALLOW_CONNECTIONS true",
                             pg::quote_identifier(kept_as), pg::quote_identifier(name)));
  return GivenBack::kYes;
}

void TargetServer::give_name(pg::Connection& server, const std::string& made, const std::string& name) {
  const std::string quoted = pg::quote_identifier(name);
  try {
    // In one transaction: it has its name and is open, or neither.
    server.execute(
        fmt::format("COMMENT ON DATABASE {0} IS NULL; ALTER DATABASE {0} RENAME TO {1}; ALTER DATABASE {1} "
                    "ALLOW_CONNECTIONS true",
                    pg::quote_identifier(made), quoted));
  } catch (Error& error) {
    // The second comes from the catalog's index, when both are made at the same moment.
    if (error.sqlstate() == sqlstate::kDuplicateDatabase || error.sqlstate() == sqlstate::kUniqueViolation) {
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
  pg::Connection server = connect_to_change(cancel);
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
