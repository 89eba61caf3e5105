#pragma once

#include <set>

#include "schema/catalog/catalog.h"

namespace pgsluice::schema {

/// Tables in which a value of type regclass names an index: it can be stored on the target only when the index is
/// there. Columns of domains and arrays of regclass are looked through, tables with composites of it taken without a
/// look. Reads in the connection's transaction, one query for each table with such a column. Throws Error(kServer).
std::set<Oid> find_tables_naming_indexes(pg::Connection& source, const Catalog& catalog);

}  // namespace pgsluice::schema
