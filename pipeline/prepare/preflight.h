#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "pg/connection.h"
#include "pg/snapshot.h"
#include "pipeline/plan/plan.h"
#include "pipeline/prepare/archived_source.h"
#include "pipeline/prepare/continuation.h"
#include "pipeline/progress/progress.h"

namespace pgsluice::pipeline {

/// The sessions with which a clone begins, and what they have found out.
struct Preflight {
  /// Holds the snapshot and the locks on the tables; does nothing else. nullopt if no rows are read.
  std::optional<pg::Connection> holder;
  /// In the snapshot's transaction. nullopt if the definitions come from the work folder or an archive.
  std::optional<pg::Connection> source;
  /// The archive that rows come from; nullptr if they come from a server, or none are read.
  std::shared_ptr<const ArchivedSource> archive = nullptr;
  pg::Connection target;
  /// The source's server encoding: client_encoding of every session.
  std::string encoding;
  /// The options after preparation. A plan has them, too.
  ResolvedOptions options;
  /// nullptr if an earlier run has done everything.
  std::unique_ptr<const Plan> plan;
  /// The tables whose rows that run has copied, as display() names them.
  std::set<std::string> copied = {};
  /// The tables that it has restored from an archive, with the rows that each has to have.
  std::vector<RestoredTable> restored = {};
  /// The ledger's record of the run, its snapshot included.
  RunRecord record;
  /// The earlier run that it continues; nullopt for a new run.
  std::optional<Continuation> continuation;
};

/// The purpose of a preflight.
enum class Intent {
  kPlan,  ///< to look only
  kRun,   ///< to take the target for a run: no other run works beside it, nor what is left of an earlier one
};

/// Connects to both servers, takes the snapshot, reads definitions (pg_dump, beside the catalog queries) and checks
/// all that would stop the clone: versions, permissions, roles, extensions, what the target holds. Changes nothing in
/// the databases. A session that is lost once both servers were reached is waited for as long as the options say
/// (retry_for). Throws Error with what to do.
Preflight run_preflight(const CloneOptions& options, Intent intent, Progress& progress, const Log& log,
                        const CancelToken& cancel);

}  // namespace pgsluice::pipeline
