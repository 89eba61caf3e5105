#pragma once

#include <string>

#include "schema/catalog/catalog.h"

namespace pgsluice::index {

/// True if a key can be added on an index that was built before it: a primary or unique key of one table. Not those of
/// partitioned tables, exclusion constraints and keys WITHOUT OVERLAPS, which ADD CONSTRAINT itself builds.
bool built_before_constraint(const schema::Index& index);

/// "CREATE UNIQUE INDEX …": takes SHARE on its table, so that several are built on one table at once.
std::string build_statement(const schema::Index& index);

/// "ALTER TABLE … ADD CONSTRAINT … USING INDEX …" and what the archive's entry of the constraint holds besides: CLUSTER
/// ON, REPLICA IDENTITY, DEPENDS ON EXTENSION.
std::string constraint_statement(const schema::Index& index, const schema::Relation& table);

}  // namespace pgsluice::index
