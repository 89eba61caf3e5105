#pragma once

#include "schema/archive/archive.h"
#include "schema/catalog/catalog.h"
#include "schema/selection/selection.h"

namespace pgsluice::schema {

/// Applies a filter's rules to the objects of an archive, by the names and dependencies of its entries. `catalog` is
/// the archive's. What an archive does not tell, such as members of extensions, goes with nothing.
Selection select_objects(const Archive& archive, const Catalog& catalog, const SelectionRequest& request);

}  // namespace pgsluice::schema
