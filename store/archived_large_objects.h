#pragma once

#include <cstdint>
#include <set>

#include "copy/large_objects.h"
#include "store/archive_data.h"

namespace pgsluice::store {

/// The OIDs of an archive's large objects, by its entries.
std::set<schema::Oid> large_objects_of(const schema::Archive& archive);

/// Makes the large objects of an archive with OID, owner, privileges and comment, as copy::copy_large_objects() does it
/// from a source. The session is idle. Objects that are there already are not made again. Throws Error; objects of the
/// transactions before stay on the target.
copy::LargeObjectsOutcome restore_large_objects(const ArchiveData& data, pg::Connection& target,
                                                const schema::RestoreOptions& options, const copy::Flow& flow);

}  // namespace pgsluice::store
