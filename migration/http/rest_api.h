#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "migration/http/server.h"
#include "pgsluice/migration/control.h"
#include "pgsluice/migration/properties.h"

namespace pgsluice::migration {

/// The questions that a worker's routes ask it. Any thread; they never wait.
struct WorkerView {
  std::function<Migration()> migration;
  /// True if the worker's own clock still runs: work may take long, a worker that hangs does not.
  std::function<bool()> is_alive;
};

/// The routes of a worker while it runs: /healthz, /readyz, /metrics, and /status with the migration's document.
void add_worker_routes(HttpServer& server, WorkerView worker);

struct RestOptions {
  /// The folder of the migrations.
  std::filesystem::path store;
  /// How a request's properties are read: those of others than this machine's user (PropertiesContext::kRemote).
  PropertiesContext properties;
  /// How migrations are carried out: each in a process of its own, which outlives this one.
  WorkerStart worker;
  /// How long a DELETE waits for a worker to have cancelled.
  std::chrono::milliseconds delete_patience{20'000};
};

/// The migrations of a store:
///
///     PUT|GET|PATCH|DELETE /migrations/{name}     ?target=…, where several targets have one of that name
///     PUT /migrations/{name}?resume=true          takes up one that has failed
///     GET /migrations?migrationListFilter=Active|All&view=whole|summary&limit=100
///                                                 newest first; "nextLink" leads to the rest
///     GET /migrations/{name}/samples, /tables     bytes over time; tables and indexes at work, and the slowest
///     GET /migrations/{name}/events               all of these, once a second, as server-sent events
///     POST /checkMigrationNameAvailability
///     GET /metrics, /healthz, /readyz, /          the last one is a page (page/)
void add_rest_routes(HttpServer& server, RestOptions options, const Log& log);

}  // namespace pgsluice::migration
