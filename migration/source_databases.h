#pragma once

#include <string>
#include <vector>

#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pgsluice/migration/properties.h"
#include "pipeline/prepare/archived_server.h"

namespace pgsluice::migration {

/// The databases that a migration may copy.
struct SourceDatabases {
  std::string server_version;
  std::vector<pipeline::ArchivedDatabase> databases;  ///< without an archive where the source is a server
};

/// Reads them from the source server, or from the archive in its place. Throws Error.
SourceDatabases read_source_databases(const Request& request, const Log& log, const CancelToken& cancel);

}  // namespace pgsluice::migration
