#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "copy/ledger.h"
#include "pg/connection.h"
#include "pg/snapshot.h"
#include "pgsluice/archive.h"
#include "pgsluice/log.h"
#include "pipeline/plan/table_plan.h"
#include "pipeline/prepare/definitions.h"
#include "store/journal.h"

namespace pgsluice::pipeline {

/// The origin of an archive, as its journal records it: an archive that was interrupted goes on only if it is still the
/// same.
struct ArchiveRun {
  pg::SnapshotMark mark;
  /// Options that decide what the archive holds, for people: "compress" is "zstd:3".
  std::map<std::string, std::string> options;
  std::string definitions;  ///< a digest of pg_dump's entries, without their numbers and the values of sequences

  std::string to_text() const;
  /// Throws Error(kConfig).
  static ArchiveRun parse(const std::string& text);
};

ArchiveRun describe_run(const ArchiveOptions& options, const pg::SnapshotMark& mark, const schema::Archive& archive,
                        const std::string& money_locale);

/// Returns the options that decide what an archive holds, for people.
std::map<std::string, std::string> deciding_options(const ArchiveOptions& options);

/// Throws Error(kState) that names the first option which is another one than before. Options that an earlier version
/// of pgsluice did not record are no difference.
void require_same_options(const std::map<std::string, std::string>& before,
                          const std::map<std::string, std::string>& now);

/// Throws Error(kState) unless all that the journal says is done is as the snapshot of `now`, which the session sees,
/// shows it. Reads every row of it on the source, where transactions ran on its server since.
void require_same_rows(const ArchiveRun& earlier, const ArchiveRun& now, const copy::LedgerContents& done,
                       pg::Connection& source, const schema::Catalog& catalog, const Log& log);

/// Returns what is done of the parts and tables that are to be archived now: not parts that were cut otherwise, nor
/// those of blocks that hold other rows by now (CLUSTER, VACUUM FULL).
store::JournalContents still_of_use(const store::JournalContents& begun, const std::vector<TablePlan>& tables);

/// Gives the files of what is done the names that they have in this archive: they come from numbers of pg_dump's, which
/// temporary tables of others shift. Throws Error(kSystem).
void rename_files(store::JournalContents& done, const std::filesystem::path& folder,
                  const std::function<std::pair<std::string, int>(schema::Oid table)>& name_and_dump_id);

}  // namespace pgsluice::pipeline
