#pragma once

#include <map>
#include <string>

#include "pgsluice/cancel.h"
#include "pgsluice/migration/migration.h"
#include "pgsluice/migration/properties.h"
#include "pgsluice/migration/store.h"

namespace pgsluice::migration {

/// Adds a migration to the store, for a runner. `target` is how the user calls the target server; where it is empty,
/// its address is. Throws Error(kUsage) for a name that is none, Error(kState) where the name is taken or another
/// migration is active on the target.
Migration create(Store& store, const std::string& name, const std::string& target,
                 const std::map<std::string, std::string>& labels, const Request& request);

enum class Sameness { kServersAndDatabases, kWhole };
/// Throws Error(kState) where a request is not that of a migration.
void require_same(const Migration& migration, const Request& request, Sameness sameness);

/// Has a migration that has failed wait for a runner again. The request has to be of the same servers and databases.
/// Throws Error(kState).
Migration resume_migration(Store& store, const Migration& migration, const Request& request);

/// How a worker is started that outlives this process.
struct WorkerStart {
  /// The command that has `worker`: this one.
  std::string program;
  /// The command that the shell runs in its place, if given: it has `pgsluice worker` run somewhere, with the
  /// properties file from its standard input and the name and target from PGSLUICE_MIGRATION_NAME and
  /// PGSLUICE_MIGRATION_TARGET. With PGSLUICE_MIGRATION_ID in its environment it refuses another migration that has got
  /// the name in the meantime.
  std::string command = {};
  int max_databases = 8;
  /// --migration-option as it was given.
  std::string option = {};
};

/// Begins the worker of a migration that waits for one, and waits until it has taken the migration up. `properties` is
/// the file's text: it reaches the worker by a pipe, and is written nowhere. Throws Error(kConfig, kSystem) where none
/// came up; the migration has failed then.
void start_worker(Store& store, const Migration& migration, const std::string& properties, const WorkerStart& start,
                  const CancelToken& cancel = {});

/// Cancels a migration that is active, waits for its end, and forgets it. Throws Error(kState) if it has failed
/// instead: it is kept then, since what it has made is still on the target. Throws Error(kCancelled).
void cancel_and_remove(Store& store, const Migration& migration, const CancelToken& cancel);

/// Throws Error(kState) for a migration that was to be cancelled and has failed.
void require_canceled(const Migration& migration);

struct NameAvailability {
  std::string name;
  bool available = false;
  std::string reason;  ///< "Invalid", "AlreadyExists", or empty
  std::string message;
};

/// For an empty target: whether no target has a migration of that name.
NameAvailability check_name(Store& store, const std::string& name, const std::string& target);

}  // namespace pgsluice::migration
