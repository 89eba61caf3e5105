#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pg/snapshot.h"
#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pipeline/plan/options.h"
#include "schema/archive/archive.h"
#include "schema/catalog/catalog.h"
#include "schema/catalog/inventory.h"
#include "schema/selection/selection.h"

namespace pgsluice::pipeline {

/// The objects of the source that are copied.
struct Definitions {
  schema::Archive archive;
  std::string archive_bytes;  ///< as pg_dump wrote it; empty of read_dumped_schema()
  schema::Catalog catalog;
  schema::Selection selection;
  std::vector<std::string> warnings;
  /// Only of dump_schema(): the filter that it was given, and the database.
  schema::FilterRules filters = {};
  pg::SnapshotMark source = {};
};

/// Where the definitions come from.
struct DefinitionsRequest {
  std::string snapshot;  ///< that the source's transaction sees, by its name
  std::string encoding;  ///< of the source's server
  /// Extensions that need not be made, since they are on the target.
  std::set<std::string, std::less<>> extensions_on_target;
  /// True if the archive has entries of rows, sequences' values and large objects too.
  bool data_entries = false;
};

/// Reads them in the connection's transaction, pg_dump beside the catalog queries, and checks that all of it can be
/// read. Leaves out what the options do. Throws Error.
Definitions read_definitions(pg::Connection& source, const DefinitionsRequest& request, const ResolvedOptions& options,
                             const Log& log, const CancelToken& cancel);

/// Writes the source's definitions into the work folder, for commands that then need no source to restore them:
/// CloneOptions::definitions_from_work_folder. Of the options only the source, the work folder, the snapshot, and what
/// is left out count. Throws Error.
void dump_schema(const CloneOptions& options, const Log& log, const CancelToken& cancel);

/// Reads what dump_schema() has written. Throws Error(kState) when there is none, or when the options leave out other
/// things than it did.
Definitions read_dumped_schema(const ResolvedOptions& options);

}  // namespace pgsluice::pipeline
