#include "migration/source_databases.h"

#include <utility>

#include "migration/server_connection.h"
#include "pipeline/prepare/archived_source.h"
#include "schema/catalog/databases.h"

namespace pgsluice::migration {

SourceDatabases read_source_databases(const Request& request, const Log& log, const CancelToken& cancel) {
  SourceDatabases source;
  if (!request.archive.empty()) {
    source.databases = pipeline::find_archived_databases(request.archive, request.databases);
    source.server_version = pipeline::ArchivedSource(source.databases.front().archive).data.archive().server_version;
    return source;
  }
  pg::Connection server = connect_to_server(request, Side::kSource, log, cancel);
  source.server_version = server.server_version_text();
  for (schema::Database& database : schema::read_databases(server)) {
    source.databases.push_back({.database = std::move(database), .archive = {}});
  }
  return source;
}

}  // namespace pgsluice::migration
