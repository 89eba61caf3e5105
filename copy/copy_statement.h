#pragma once

#include <string>

#include "pgsluice/schema/catalog.h"

namespace pgsluice::copy {

/// "COPY … TO STDOUT" for a table's own rows: its columns by name, an extension's condition, no children.
std::string copy_out_statement(const schema::Relation& table);

/// "COPY … FROM STDIN" into `into`, with the column names of `table` (they differ for a partition that is loaded
/// through its root).
std::string copy_in_statement(const schema::Relation& table, const schema::Relation& into);

}  // namespace pgsluice::copy
