#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// Statements that an extension needs around a restore, besides CREATE EXTENSION.
struct ExtensionCall {
  std::string description;
  std::string sql;
};

/// TimescaleDB wants to know of a restore, so that its own triggers and workers keep away. By the extensions of a
/// database with the schema of each; nothing where it is not among them.
std::optional<ExtensionCall> before_restore(const std::map<std::string, std::string, std::less<>>& extensions);
std::optional<ExtensionCall> after_restore(const std::map<std::string, std::string, std::less<>>& extensions);

/// A table that Citus keeps on several nodes, and what makes the target's such a one while it is empty; empty where
/// that is not known (a schema that is distributed as a whole).
struct DistributedTable {
  Oid table = 0;
  std::string sql;
};

/// Reference tables first, then the others, those that lie together after the first of them. Empty without Citus (10
/// or later). Throws Error(kServer).
std::vector<DistributedTable> read_distributed_tables(pg::Connection& source);

}  // namespace pgsluice::schema
