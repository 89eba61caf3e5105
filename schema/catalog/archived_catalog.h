#pragma once

#include "schema/archive/archive.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::schema {

/// Reads a catalog from the entries of an archive, as far as pg_dump writes there what a restore has to know: relations
/// with the columns of their COPY statements, indexes and the constraints that they are of, foreign keys, inheritance,
/// sequences with values, extensions, and the roles that are named. Sizes, columns' types and what calls functions
/// stand in no archive. A table whose rows are not in the archive is there without `rows_wanted`.
///
/// Never throws for a definition that it does not know: the entry's own text then makes the object in one piece.
Catalog catalog_of(const Archive& archive);

/// The version of the server that was dumped, as server_version(): 160004 for "16.4 (Debian 16.4-1)"; 0 if the text is
/// none.
int server_version_of(const Archive& archive);

/// The encoding in which definitions and rows are written; empty if the archive does not say it.
std::string encoding_of(const Archive& archive);

}  // namespace pgsluice::schema
