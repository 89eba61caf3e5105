#pragma once

#include <string_view>

namespace pgsluice::schema {

/// A condition on `n`, a row of pg_namespace: the schema is not the server's own.
inline constexpr std::string_view kUserSchema = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

}  // namespace pgsluice::schema
