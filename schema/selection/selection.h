#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pgsluice/filter_rules.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::schema {

/// The objects to leave out, and which of them exist on the target.
struct SelectionRequest {
  const FilterRules& rules;
  /// All extensions are left out, and taken to be on the target.
  bool skip_extensions = false;
  /// An extension that is left out and there is used as it is; what depends on one that is not there goes with it.
  std::set<std::string, std::less<>> extensions_on_target;
};

/// An object that goes with another one.
struct Dependent {
  CatalogId id;
  std::string object;   ///< "view public.totals", in the server's words
  std::string because;  ///< what it depends on
};

/// Which of a source's objects stay away from a copy, decided once by their catalog ids, for definitions and rows
/// alike. Read-only; any thread.
struct Selection {
  /// Named by the rules, or depending on what is.
  std::set<CatalogId> left_out;
  /// Tables and materialized views that are made and not filled.
  std::set<Oid> without_rows;
  /// Sequences that stay for a default that calls them, although the table that owns them does not.
  std::set<Oid> sequences_without_owner;

  /// The objects that each section of the rules has named: "[exclude-table]: public.a, public.b".
  std::vector<std::string> named;
  /// Objects that depend on those and are not parts of them, as an index is of its table.
  std::vector<Dependent> dependents;
  /// Entries that name nothing.
  std::vector<std::string> warnings;
  /// Extensions that are left out and that what stays needs.
  std::set<std::string> needed_extensions;

  /// For pg_dump, which need not look at them: patterns for -N and -T.
  std::vector<std::string> schema_patterns;
  std::vector<std::string> table_patterns;

  bool empty() const { return left_out.empty() && without_rows.empty(); }
  bool keeps(CatalogId id) const { return !left_out.contains(id); }
  bool keeps(Oid relation) const { return keeps(CatalogId{kPgClass, relation}); }
};

/// Reads what there is and what depends on what, in the connection's transaction. Throws Error(kServer).
Selection select_objects(pg::Connection& source, const SelectionRequest& request);

/// Like the above, with the extensions that the target has by now.
Selection select_objects(pg::Connection& source, pg::Connection& target, const FilterRules& rules,
                         bool skip_extensions);

/// Take away what is left out.
void apply(const Selection& selection, Catalog& catalog);
void apply(const Selection& selection, Archive& archive);

}  // namespace pgsluice::schema
