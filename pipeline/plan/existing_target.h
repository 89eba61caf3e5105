#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

struct Plan;

/// Statements around a load, in its transaction, that keep a table's own triggers from firing: the source's rows have
/// gone through theirs.
struct TriggersOff {
  std::string before;
  std::string after;
};

/// The objects that a command finds on a target whose tables were made before it. Source relations by their OIDs there.
struct ExistingTarget {
  /// Tables with columns of other types than the source's, which take rows as text only.
  std::set<schema::Oid> other_types;
  /// Tables that foreign keys of the target refer to: they cannot be truncated.
  std::set<schema::Oid> referenced;
  /// Child and parent of each: parents' rows have to come first.
  std::set<std::pair<schema::Oid, schema::Oid>> foreign_keys;
  /// Tables that hold rows.
  std::set<schema::Oid> filled;
  /// Tables that are partitioned there, and are not here.
  std::set<schema::Oid> partitioned;
  /// Tables whose triggers would fire for rows, or for TRUNCATE.
  std::map<schema::Oid, TriggersOff> triggers_off;
  /// Definitions of indexes and constraints: by "schema.index", "schema.table.constraint", as display_name() writes
  /// them.
  std::map<std::string, std::string, std::less<>> indexes;
  std::map<std::string, std::string, std::less<>> constraints;
};

/// The properties that tell whether a constraint of an index is the same, by the catalog's columns: its operators, if
/// it is an exclusion, are in no index's definition.
std::string definition_of(const schema::Index& index);
/// The key of ExistingTarget::constraints.
std::string constraint_key(const schema::Relation& table, const std::string& constraint);

/// Makes barriers of the tasks that would build what is there just so, unless the ledger (its tasks) knows them as this
/// run's. Something else of the same name stays in the way, and the server will say so.
void skip_existing_objects(Plan& plan, const std::set<std::string, std::less<>>& tasks_done);

}  // namespace pgsluice::pipeline
