#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "pgsluice/base/cancel.h"
#include "pgsluice/base/log.h"
#include "pgsluice/migration/properties.h"
#include "pgsluice/pg/connection.h"
#include "pgsluice/schema/databases.h"

namespace pgsluice::migration {

/// A database as its server knows it: one that is dropped and made again has another number.
using DatabaseId = std::uint32_t;

/// The databases that a server has. Throws Error(kServer).
std::map<std::string, DatabaseId> databases_of(pg::Connection& server);

/// The target of a migration: makes databases there, and drops what it has made. One migration at a time, whatever
/// store it is in: a session of its own holds a lock on the server as long as the object lives.
///
/// Any thread. Request and log outlive the object. All functions throw Error where the server cannot be reached.
class TargetServer {
 public:
  TargetServer(const Request& request, const Log& log) : request_(request), log_(log) {}

  /// Takes the lock, again where its session was lost. Throws Error(kState) where another migration has it.
  void lock(const CancelToken& cancel);

  /// What is to become of a database that is there of the name.
  enum class Existing { kReplaced, kKept };
  /// Makes a database, by another name first and without letting anybody in, and with kReplaced drops the one that is
  /// there of its name, with its sessions, as the last step before it gets that name. Throws Error(kServer) with what
  /// to do, Error(kState) where one is there that is kept; then it is as it was.
  /// One that this migration has made itself (`ours`; 0: none) is replaced whatever is said.
  DatabaseId make_over(const schema::Database& database, Existing existing, DatabaseId ours, const CancelToken& cancel);

  enum class Dropped {
    kYes,
    kAnother,  ///< there is another one of that name by now, which was left, or none
  };
  /// Drops what make_over() has made. Throws Error(kServer).
  Dropped drop(const std::string& name, DatabaseId made, const CancelToken& cancel);

 private:
  pg::Connection connect(const CancelToken& cancel) const;
  void give_name(pg::Connection& server, const std::string& made, const std::string& name);

  const Request& request_;
  const Log log_;
  std::mutex mutex_;
  std::optional<pg::Connection> holder_;  ///< of the lock
};

}  // namespace pgsluice::migration
