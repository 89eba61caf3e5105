#pragma once

#include <vector>

#include "pg/connection.h"
#include "pipeline/plan/existing_target.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// Reads it for a copy of these tables' rows (none: for indexes alone). Throws Error(kState) naming tables and columns
/// that are not there, and triggers that could not be kept from firing.
ExistingTarget read_existing_target(pg::Connection& target, const schema::Catalog& source,
                                    const std::vector<const schema::Relation*>& tables);

}  // namespace pgsluice::pipeline
