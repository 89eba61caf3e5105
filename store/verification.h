#pragma once

#include "pgsluice/archive_verification.h"
#include "store/archive_data.h"

namespace pgsluice::store {

/// Reads all data of an archive before something is done that cannot be undone: an archive of pgsluice's as
/// verify_archive() does, one of pg_dump's to the end of each table. Throws Error(kConfig) that names the first damage.
void require_undamaged(const ArchiveData& archive, int jobs, const CancelToken& cancel);

}  // namespace pgsluice::store
