#pragma once

#include <string_view>

namespace pgsluice::schema {

/// True if two texts of one definition may be the same definition, printed by servers of different releases or before
/// and after it was read back once: they differ at most in casts, parentheses, column qualifiers and blanks.
/// https://www.postgresql.org/docs/18/functions-info.html (pg_get_expr: "decompiles", it does not keep the text)
bool may_be_printed_otherwise(std::string_view a, std::string_view b);

}  // namespace pgsluice::schema
