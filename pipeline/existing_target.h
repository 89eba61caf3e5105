#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pgsluice/pg/connection.h"
#include "pgsluice/schema/catalog.h"

namespace pgsluice::pipeline {

struct Plan;

/// What a command finds on a target whose tables were made before it. Source relations by their OIDs there.
struct ExistingTarget {
  /// Tables with columns of other types than the source's, which take rows as text only.
  std::set<schema::Oid> other_types;
  /// Tables that foreign keys of the target refer to: they cannot be truncated.
  std::set<schema::Oid> referenced;
  /// Child and parent of each: parents' rows have to come first.
  std::set<std::pair<schema::Oid, schema::Oid>> foreign_keys;
  /// Tables that hold rows.
  std::set<schema::Oid> filled;
  /// Indexes and constraints: "schema.index", "schema.table.constraint", as display_name() writes them.
  std::set<std::string, std::less<>> indexes;
  std::set<std::string, std::less<>> constraints;
};

/// Reads it for a copy of these tables' rows (none: for indexes alone). Throws Error(kState) naming tables and columns
/// that are not there.
ExistingTarget read_existing_target(pg::Connection& target, const schema::Catalog& source,
                                    const std::vector<const schema::Relation*>& tables);

/// Makes barriers of the tasks that would build what is there, unless the ledger (its steps) knows them as this run's.
void leave_what_is_there(Plan& plan, const ExistingTarget& existing,
                         const std::set<std::string, std::less<>>& steps_done);

}  // namespace pgsluice::pipeline
