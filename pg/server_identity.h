#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pg/connection.h"

namespace pgsluice::pg {

/// Which server and database a session is in, as the server itself says. Addresses and names do not tell: a pooler
/// gives a database another name, and one server has many addresses.
struct ServerIdentity {
  /// Tells a data folder and its physical copies from all others. Empty where this user may not read it.
  std::string system_identifier;
  /// When the server was started: a physical copy has another one.
  std::string started;
  std::uint32_t database = 0;  ///< its OID
  bool in_recovery = false;    ///< a standby
};

/// Asks the server. Throws Error(kServer).
ServerIdentity server_identity(Connection& connection);

/// How much of the target an operation changes: one database, or the whole server.
enum class Reach {
  kDatabase,  ///< the database that the session is in
  kServer,    ///< databases of its server, whichever they are
};

/// Why a change of the target would change the source: both are one database (or server), or the source is a standby
/// that replays what is done to it. nullopt where they have nothing to do with one another. Throws Error(kServer).
std::optional<std::string> why_not_apart(Connection& source, Connection& target, Reach reach);

}  // namespace pgsluice::pg
