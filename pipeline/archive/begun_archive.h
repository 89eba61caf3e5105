#pragma once

#include <map>
#include <string>

#include "copy/ledger.h"
#include "pg/connection.h"
#include "pg/snapshot.h"
#include "pgsluice/archive.h"
#include "pgsluice/log.h"
#include "pipeline/prepare/definitions.h"
#include "store/journal.h"

namespace pgsluice::pipeline {

/// The origin of an archive, as its journal records it: an archive that was interrupted goes on only if it is still the
/// same.
struct ArchiveRun {
  pg::SnapshotMark mark;
  /// Options that decide what the archive holds, for people: "compress" is "zstd:3".
  std::map<std::string, std::string> options;
  std::string definitions;  ///< a digest of pg_dump's entries, without the values of sequences

  std::string to_text() const;
  /// Throws Error(kConfig).
  static ArchiveRun parse(const std::string& text);
};

ArchiveRun describe_run(const ArchiveOptions& options, const pg::SnapshotMark& mark, const schema::Archive& archive);

/// Throws Error(kState) unless all that the journal says is done is as the snapshot of `now`, which the session sees,
/// shows it. Reads every row of it on the source, where transactions ran on its server since.
void require_same_rows(const ArchiveRun& earlier, const ArchiveRun& now, const copy::LedgerContents& done,
                       pg::Connection& source, const schema::Catalog& catalog, const Log& log);

}  // namespace pgsluice::pipeline
