#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pg/connection.h"

namespace pgsluice::test {

/// Compares two whole databases and returns the differences, one line each; empty when they are the same.
///
/// Compared are the text of `pg_dump --create --schema-only` (with the target's database under the source's name), the
/// contents of every table, sequence values, large objects with owner, privileges and comment, and what no dump
/// shows: whether indexes are valid, clustered, replica identity, constraints validated, materialized views filled.
/// Connections are made as superuser.
std::vector<std::string> compare_databases(const std::string& source, const std::string& target,
                                           const std::filesystem::path& bindir);

}  // namespace pgsluice::test
