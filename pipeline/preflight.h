#pragma once

#include <memory>
#include <string>

#include "pgsluice/pg/connection.h"
#include "pgsluice/pg/snapshot.h"
#include "pgsluice/pipeline/clone.h"

namespace pgsluice::pipeline {

/// The sessions with which a clone begins, and what they have found out.
struct Preflight {
  /// Holds the snapshot and the locks on the tables; does nothing else.
  pg::Connection holder;
  /// In the snapshot's transaction.
  pg::Connection source;
  pg::Connection target;
  pg::SnapshotIdentity snapshot;
  /// The source's server encoding: client_encoding of every session.
  std::string encoding;
  std::unique_ptr<const Plan> plan;
};

/// Connects to both servers, takes the snapshot, reads definitions (pg_dump, beside the catalog queries) and checks
/// all that would stop the clone: versions, permissions, roles, extensions, what the target holds. Changes nothing.
/// `archive_folder`, a private one, gets the archive while it is read. Throws Error with what to do.
Preflight run_preflight(const CloneOptions& options, const std::filesystem::path& archive_folder, Progress& progress,
                        const Log& log, const CancelToken& cancel);

/// A session of the given side, with its settings made. `pinned` leads to the server that preflight has reached.
pg::Connection open_session(const pg::ConnInfo& pinned, std::string_view purpose, std::string_view encoding,
                            const Log& log, const CancelToken& cancel);

}  // namespace pgsluice::pipeline
