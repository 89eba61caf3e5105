#pragma once

#include <vector>

#include "pgsluice/pg/connection.h"
#include "pgsluice/pipeline/existing_target.h"
#include "pgsluice/schema/catalog.h"

namespace pgsluice::pipeline {

/// Reads it for a copy of these tables' rows (none: for indexes alone). Throws Error(kState) naming tables and columns
/// that are not there, and triggers that could not be kept from firing.
ExistingTarget read_existing_target(pg::Connection& target, const schema::Catalog& source,
                                    const std::vector<const schema::Relation*>& tables);

}  // namespace pgsluice::pipeline
