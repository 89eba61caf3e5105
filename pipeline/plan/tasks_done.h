#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "copy/ledger.h"
#include "pipeline/plan/plan.h"

namespace pgsluice::pipeline {

/// For each task what the ledger calls it, in terms that outlive a run: a digest of its statement. Empty for tasks that
/// the ledger does not know since they can be done again, and for rows, which have a table of their own there.
std::vector<std::string> task_marks(const Plan& plan);

/// The ledger's name for an object that was made without its owner, as long as it has none.
std::string mark_of_owner(const schema::TocEntry& entry);

/// Returns the mark of the task that copies large objects.
std::string mark_of_large_objects();

/// The tasks that the ledger knows as done; of table data, what was loaded.
std::map<TaskId, copy::LoadedRows> tasks_done(const Plan& plan, const copy::LedgerContents& ledger);

/// Which loaded parts of tables a run takes as they are.
enum class Trust {
  kEveryPart,
  kWholeTables,  ///< those of tables of which nothing is missing (through a root: of none that goes there)
};

/// The parts of the catalog's tables that a run need not load; never those of the tables `to_load_again`. Throws
/// Error(kState) if the ledger does not match the tables, unless `trust` is kWholeTables.
std::map<schema::Oid, std::vector<copy::RowRange>> loaded_parts(const copy::LedgerContents& ledger,
                                                                const schema::Catalog& catalog, Trust trust,
                                                                const std::set<schema::Oid>& to_load_again = {});

}  // namespace pgsluice::pipeline
