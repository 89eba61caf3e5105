#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "pg/connection.h"
#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pgsluice/migration/properties.h"
#include "schema/catalog/databases.h"

namespace pgsluice::migration {

/// A database as its server knows it: one that is dropped and made again has another number.
using DatabaseId = std::uint32_t;

/// The name that a database has until it takes its place: the same for each attempt, so that what is left of one is
/// found.
std::string temporary_name(const std::string& name);
/// The name that a database gets while it is kept.
std::string kept_name(const std::string& name);
/// True for names that migrations give to databases of their own.
bool is_own_name(const std::string& name);

/// The databases that a server has. Throws Error(kServer).
std::map<std::string, DatabaseId> databases_of(pg::Connection& server);
/// "12 MB, owner app, 3 sessions", of one that is there. Throws Error(kServer).
std::string describe_database(pg::Connection& server, const std::string& name);

/// The target of a migration: makes databases there, and drops what it has made. One migration at a time, whatever
/// store it is in: a session of its own holds a lock on the server as long as the object lives.
///
/// Any thread. Request and log outlive the object. All functions throw Error where the server cannot be reached.
class TargetServer {
 public:
  TargetServer(const Request& request, const Log& log) : request_(request), log_(log) {}

  /// The identifier of the server that the migration has worked on (pg::system_identifier()); empty if it is not known.
  /// All that changes the target throws Error(kState) from here on if another server answers at its address: databases
  /// there may have the same names and numbers.
  void expect(std::string system);

  /// Takes the lock, again where its session was lost. Throws Error(kState) where another migration has it.
  void lock(const CancelToken& cancel);

  /// A database that is made, and what the target had of its name before.
  struct Making {
    std::string temporary;  ///< its name until it takes its place
    DatabaseId id = 0;
    std::string replaced;  ///< for people: size, owner, sessions; empty if there is none
    std::string kept_as;   ///< the name that the one that was there gets; empty if it is dropped
    DatabaseId kept_id = 0;
  };
  /// Called when the new database is made under its temporary name, before anything of the target is dropped or
  /// renamed: records it. What it throws ends create_or_replace(), which then drops the new one.
  using BeforeReplacing = std::function<void(const Making&)>;
  /// Makes a database, under a temporary name first and without letting anybody in; then drops or renames the one that
  /// has its name, with its sessions, and gives it that name. Throws Error(kServer) with what to do, Error(kState) with
  /// kNo if there is one; it is then as it was. One that this migration has made itself (`ours`; 0: none) is always
  /// dropped.
  ///
  /// `checked` is the number of the database of that name when the target was looked at; 0 if there was none. Throws
  /// Error(kState) if there is another one by now: it was not checked, and its owner was not warned.
  DatabaseId create_or_replace(const schema::Database& database, Overwrite overwrite, DatabaseId ours,
                               DatabaseId checked, const BeforeReplacing& before_replacing, const CancelToken& cancel);

  /// The database under its temporary name, open to its user alone, so that a copy into it can be tried without
  /// copying. Whatever is left of it is dropped by drop_own() or the next create_or_replace().
  std::string make_temporary(const schema::Database& database, const CancelToken& cancel);
  /// Drops a database under a name that only migrations give, and which a migration has made or closed.
  /// Returns whether there was one; one of that name that no migration has made is left. Throws Error(kServer).
  bool drop_own(const std::string& name, const CancelToken& cancel);
  /// Gives a database that create_or_replace() has renamed its name back, or opens it again where it was only closed
  /// for that. Does nothing if another one has the name.
  enum class GivenBack { kYes, kNameIsTaken, kIsGone };
  GivenBack give_back(const std::string& kept_as, DatabaseId id, const std::string& name, const CancelToken& cancel);

  enum class Dropped {
    kYes,
    kAnother,  ///< there is another one of that name by now, which was left, or none
  };
  /// Drops what create_or_replace() has made. Throws Error(kServer).
  Dropped drop(const std::string& name, DatabaseId made, const CancelToken& cancel);
  /// Drops a database that create_or_replace() has renamed (`id` 0: whatever its number). Throws Error(kServer).
  Dropped drop_kept(const std::string& kept_as, DatabaseId id, const CancelToken& cancel);

 private:
  pg::Connection connect(const CancelToken& cancel) const;
  void make(pg::Connection& server, const schema::Database& database, const std::string& temporary);
  void give_name(pg::Connection& server, const std::string& made, const std::string& name);

  pg::Connection connect_to_change(const CancelToken& cancel) const;

  const Request& request_;
  const Log log_;
  std::string system_;
  Mutex mutex_;
  std::optional<pg::Connection> holder_ GUARDED_BY(mutex_);  ///< of the lock
};

}  // namespace pgsluice::migration
