#pragma once

#include <string>

#include "pgsluice/pg/connection.h"

namespace pgsluice::pg {

/// Names a snapshot that a transaction has exported, in terms that another session can check after importing it:
/// the name alone is used again after a restart of the server.
struct SnapshotIdentity {
  std::string name;               ///< for SET TRANSACTION SNAPSHOT
  std::string text;               ///< xmin:xmax:xip_list
  std::string system_identifier;  ///< of the server's data folder; empty where it may not be read
  std::string server_started;     ///< when the server was started

  bool operator==(const SnapshotIdentity&) const = default;
};

/// What tells this server's data folder from all others; empty where this user may not read it.
std::string system_identifier(Connection& connection);

/// Begins a REPEATABLE READ, READ ONLY transaction on an idle connection and exports its snapshot, which lives for
/// importers as long as that transaction.
SnapshotIdentity export_snapshot(Connection& connection);

/// Begins a transaction that sees the snapshot, and checks that it is the one meant.
/// Throws Error(kServer, 22023 or 42704) when it is gone, Error(kState) when it is another one of the same name.
void import_snapshot(Connection& connection, const SnapshotIdentity& snapshot);

}  // namespace pgsluice::pg
