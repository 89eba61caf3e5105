#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pgsluice/database.h"

namespace pgsluice::pipeline {

/// A database, and the archive that it is restored from.
struct ArchivedDatabase {
  schema::Database database;  ///< its size: of its data before compression
  std::filesystem::path archive;
};

/// Returns the databases that a path holds, largest first: those of a server's archive (store/server_manifest.h), or
/// the one of an archive of pgsluice's or pg_dump's. Throws Error(kConfig) for one that cannot be restored.
std::vector<ArchivedDatabase> find_archived_databases(const std::filesystem::path& path);

/// Returns these databases, in their order; all if none is named. The one of a single archive may be named
/// otherwise: it gets that name. Throws Error(kState) for one that is not there.
std::vector<ArchivedDatabase> find_archived_databases(const std::filesystem::path& path,
                                                      const std::vector<std::string>& names);

/// Returns the named ones of `all`, in the order of the names; all if none is named. Throws Error(kState) for one that
/// is not there.
std::vector<ArchivedDatabase> named_databases(std::vector<ArchivedDatabase> all, const std::vector<std::string>& names);

}  // namespace pgsluice::pipeline
