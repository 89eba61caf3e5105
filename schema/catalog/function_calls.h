#pragma once

#include "pg/connection.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::schema {

/// Which relations' indexes, statistics and rows depend on functions of the user's, whose bodies may name anything: no
/// dependency is recorded for what they name. Fills in these fields of a catalog's relations and indexes, whose
/// inheritance has to be there.

/// Relation::statistics_call_functions, Index::calls_functions. Throws Error(kServer).
void read_function_calls(pg::Connection& source, Catalog& catalog);

/// Relation::rows_call_functions, Relation::bodies_of_row_functions. Throws Error(kServer).
void read_functions_of_rows(pg::Connection& source, Catalog& catalog);

}  // namespace pgsluice::schema
