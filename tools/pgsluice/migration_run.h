#pragma once

#include <string>

#include "migration/http/server.h"
#include "pgsluice/migration/migration.h"
#include "pgsluice/migration/properties.h"
#include "pgsluice/migration/store.h"
#include "tools/pgsluice/migration_report.h"
#include "tools/pgsluice/progress_display.h"

namespace pgsluice::tools {

struct MigrationRunOptions {
  OutputFormat output = OutputFormat::kTable;
  ProgressStyle progress = ProgressStyle::kLines;
};

/// Carries out a migration of the store in this process, from which SIGINT and SIGTERM end it so that it can be taken
/// up again. Prints how it has ended, and returns the exit code. /healthz, /metrics and /status answer meanwhile where
/// there is a server for them.
int run_migration(migration::Store& store, const migration::Migration& migration, const migration::Request& request,
                  const MigrationRunOptions& options, Console& console, migration::HttpServer* server = nullptr);

/// Tells the process that has started this one detached that it has begun. Does nothing if there is none.
void report_ready();

}  // namespace pgsluice::tools
