#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pgsluice/cancel.h"
#include "pgsluice/log.h"

namespace pgsluice::pipeline {

struct CompareSchemaOptions {
  std::string source;
  std::string target;
  /// In place of those that the connection strings name; empty: these.
  std::string database = {};
  /// Where pg_dump is. Where they are too old for the target, others are looked for.
  std::optional<std::filesystem::path> pg_bindir;
  /// True if a pg_dump of elsewhere may read the servers if that of `pg_bindir` is too old.
  bool may_use_other_programs = true;
  /// True if the source's roles are compared, too, with their attributes, memberships and settings.
  bool roles = false;
};

/// An object that both databases have not alike.
struct SchemaDifference {
  std::string object;  ///< "table public.orders"
  std::string source;  ///< what makes it there; empty where it is missing
  std::string target;
};

struct SchemaComparison {
  std::vector<SchemaDifference> differences;
  /// Objects that the servers print in different words, of which the user's rights do not allow to find out whether
  /// they mean the same.
  std::vector<SchemaDifference> undecided;
  /// Why nothing of the definitions was compared; empty where they were.
  std::string not_compared;

  bool equal() const { return differences.empty(); }
};

/// Compares all that pg_dump writes of two databases but rows and the database's own properties (definitions, owners,
/// privileges, comments, tablespaces), and what it does not write: the order of columns, what users have put on
/// extensions' tables, the database's encoding and locale. The order of objects does not matter.
///
/// Servers print one definition in different words: each major release has its own, and so has an expression that was
/// read back once. Where the texts of an object differ, the target's server decides: the source's definitions are
/// restored into a scratch database of the target's server, and what that server prints of them is what
/// the target has to have. This takes the right to create databases; without it such an object is `undecided`, unless
/// the texts differ in more than the servers' manners.
///
/// Changes nothing but that it makes and drops the scratch database. Throws Error when a server cannot be read.
SchemaComparison compare_schemas(const CompareSchemaOptions& options, const Log& log, const CancelToken& cancel);

}  // namespace pgsluice::pipeline
