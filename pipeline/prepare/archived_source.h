#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pg/snapshot.h"
#include "pipeline/prepare/definitions.h"
#include "store/archive_data.h"
#include "store/data_entries.h"

namespace pgsluice::pipeline {

/// An archive in the place of a source server. Read-only; any thread. The entries point into the data.
struct ArchivedSource {
  explicit ArchivedSource(const std::filesystem::path& path)
      : data(path), entries(store::find_data_entries(data.archive())) {}
  ArchivedSource(const ArchivedSource&) = delete;
  ArchivedSource& operator=(const ArchivedSource&) = delete;

  const store::ArchiveData data;
  const store::DataEntries entries;
};

/// Opens the archive that the options name. Throws Error(kConfig) for one that cannot be restored: it is
/// damaged, incomplete, its tables' rows are no COPY.
std::shared_ptr<const ArchivedSource> open_archived_source(const ResolvedOptions& options, const Log& log);

/// Throws Error(kConfig) for an archive whose rows are INSERT statements, which a program that reads SQL has to run.
void require_copy_statements(const ArchivedSource& source);

/// Returns an archive's definitions, with the catalog that it was made with where it is pgsluice's own, or else one
/// that is read from its entries. Tables have the sizes of their rows in the archive.
Definitions read_archived_definitions(const ArchivedSource& source);

/// Returns the roles of the archive's server, as pg_dumpall writes them. Throws Error(kConfig) for an archive that was
/// made without them.
std::string read_archived_roles(const ArchivedSource& source);

/// False for an archive of rows whose tables others make (pg_dump --data-only, --section=data).
bool has_definitions(const ArchivedSource& source);

/// Finds the tables that the archive has rows of and an extension makes, with the rows that are the user's as far as
/// the target's extension tells them. pgsluice's own archives have them in their catalog.
void find_configuration_tables(const ArchivedSource& source, pg::Connection& target, schema::Catalog& catalog);

/// Leaves out what the options do. `extensions_on_target`: those that are there already.
void select_from_archive(Definitions& definitions, const ResolvedOptions& options,
                         std::set<std::string, std::less<>> extensions_on_target);

/// A table of the target with rows of an archive, and the rows that it has to have.
struct RestoredTable {
  schema::Relation table;
  copy::RowsDigest rows;
};

/// Returns the tables that the rows of an archive go into. Empty for an archive that does not tell what its rows are.
std::vector<RestoredTable> restored_tables(const ArchivedSource& source, const schema::Catalog& catalog);

/// Warns of a target that is older than the server that the archive was made of. It is tried, as pg_restore does: most
/// definitions are known there.
std::optional<std::string> warn_of_target_of_archive(const ArchivedSource& source, const pg::Connection& target);

/// Stands for the archive where a run's record names the snapshot that it reads.
pg::SnapshotMark mark_of_archive(const ArchivedSource& source);

/// The tables whose rows can be read in several parts, with the bytes of these.
std::map<schema::Oid, Bytes> tables_in_frames(const ArchivedSource& source);

}  // namespace pgsluice::pipeline
