#pragma once

#include <optional>
#include <string>

#include "pg/connection.h"

namespace pgsluice::pg {

/// Locks by which pgsluice's processes and sessions keep apart. Each is an advisory lock of PostgreSQL with two keys,
/// the first of which marks it as pgsluice's ("pgsl"). A server keeps advisory locks per database.
enum class AdvisoryLock {
  kRun = 1,        ///< held in the target's database while a run changes it
  kMigration = 2,  ///< held in any database of the target's server while a migration is at work
  kGrant = 3,      ///< held in the target's database by a transaction that grants and revokes for a moment
};

/// Takes the lock for the session, or returns false if another session holds it in the same database.
bool try_lock(Connection& connection, AdvisoryLock lock);

/// A statement that waits for the lock and holds it to the end of its transaction.
std::string lock_in_transaction_sql(AdvisoryLock lock);

/// Like try_lock(), but tries for two seconds: a session that its client has closed ends when a busy server gets to it.
/// Throws Error(kCancelled), too.
bool lock_soon(Connection& connection, AdvisoryLock lock);

/// Takes the lock as soon as no other session holds it in any database of the server, or returns false after three
/// seconds. Throws like lock_soon().
bool lock_on_server(Connection& connection, AdvisoryLock lock);

/// Returns the pid of another session that holds the lock in the connection's database; nullopt if there is none.
std::optional<int> holder_in_this_database(Connection& connection, AdvisoryLock lock);

/// True if another session holds the lock in any database of the server.
bool is_held_by_another(Connection& connection, AdvisoryLock lock);

}  // namespace pgsluice::pg
