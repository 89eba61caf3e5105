#pragma once

#include <filesystem>
#include <optional>

#include "copy/ledger.h"
#include "pg/connection.h"
#include "pipeline/plan/plan.h"
#include "pipeline/prepare/archived_source.h"
#include "pipeline/prepare/run_record.h"
#include "schema/archive/archive.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// The part of a work folder that remains of a run that has done everything and dropped its ledger: enough for a later
/// --resume to look whether the source still shows what was copied.
struct FinishedRun {
  RunRecord record;
  copy::LedgerContents ledger;  ///< parts of tables only
};

/// Throws Error(kState) if the folder cannot be written.
void keep_finished_run(const std::filesystem::path& work_folder, const FinishedRun& run);
/// nullopt if there is none, or one that this version does not understand.
std::optional<FinishedRun> read_finished_run(const std::filesystem::path& work_folder);
void forget_finished_run(const std::filesystem::path& work_folder);

/// A run that is about to begin, in a work folder whose earlier run may have left nothing to do.
struct FinishedRunQuestion {
  const ResolvedOptions& options;
  const RunRecord& record;
  const schema::Archive& archive;
  const schema::Catalog& catalog;
  pg::Connection& source;
  pg::Connection& target;
};

/// True if an earlier run has done everything, at the moment of the source that this one sees. What it has made has to
/// be there.
bool is_finished(const FinishedRunQuestion& question);
/// Like the above, for an earlier moment: transactions ran on the source's server since, maybe in other databases, or
/// without changing what was copied. Reads every row that was copied where it is.
bool shows_what_was_copied(const FinishedRunQuestion& question, const Log& log);

/// True if an earlier run in this work folder has restored an archive into this database, and its objects are there.
/// Rows are not compared; an archive of rows alone has no other objects, so that only rows have to be there.
bool is_restored(const ArchivedSource& archive, const std::filesystem::path& work_folder, const RunRecord& record,
                 const PlanInput& input, pg::Connection& target);

}  // namespace pgsluice::pipeline
