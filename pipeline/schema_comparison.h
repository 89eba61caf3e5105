#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pgsluice/base/cancel.h"
#include "pgsluice/base/log.h"

namespace pgsluice::pipeline {

struct CompareSchemaOptions {
  std::string source;
  std::string target;
  /// Where pg_dump is; it must not be older than either server.
  std::optional<std::filesystem::path> pg_bindir;
};

/// An object that both databases have not alike.
struct SchemaDifference {
  std::string object;  ///< "table public.orders"
  std::string source;  ///< what makes it there; empty where it is missing
  std::string target;
};

/// Compares all that pg_dump writes of two databases but rows and what belongs to the database itself: definitions,
/// owners, privileges, comments, tablespaces. Their order does not matter. Reads only.
/// Throws Error when a server cannot be read.
std::vector<SchemaDifference> compare_schemas(const CompareSchemaOptions& options, const Log& log,
                                              const CancelToken& cancel);

}  // namespace pgsluice::pipeline
