#pragma once

#include "pgsluice/database.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// The database that was dumped, as read_own_database() reads it from a source, but for its size. Of an archive without
/// an entry for its database (pg_dump --table) name and encoding are known alone.
Database database_of_archive(const Archive& archive);

}  // namespace pgsluice::schema
