#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

inline constexpr Oid kPgAttrdef = 2604;
inline constexpr Oid kPgNamespace = 2615;
inline constexpr Oid kPgExtension = 3079;

/// A row of pg_depend: `dependent` cannot be without `on`.
struct Dependency {
  CatalogId dependent;
  CatalogId on;
  char type = 0;  ///< pg_depend.deptype

  /// True if the one is a part of the other, or in it, and says nothing by itself: an index of its table, a column's
  /// default, what a schema holds.
  bool is_part() const { return type != 'n' || on.table == kPgNamespace; }
};

/// The dependencies among a database's own objects. Read-only; any thread.
class Dependencies {
 public:
  explicit Dependencies(std::vector<Dependency> all);
  /// Reads pg_depend in the connection's transaction. Throws Error(kServer).
  static Dependencies read(pg::Connection& source);

  const std::vector<Dependency>& all() const { return by_need_; }
  std::span<const Dependency> dependents_of(CatalogId on) const;
  std::span<const Dependency> needs_of(CatalogId dependent) const;

  /// The extension of a member; nullopt for what belongs to none.
  std::optional<CatalogId> extension_of(CatalogId member) const;
  /// A member, or a part of one, such as an operator in its family.
  bool is_of_extension(CatalogId id) const;

 private:
  std::vector<Dependency> by_need_;
  std::vector<Dependency> by_dependent_;
  std::map<CatalogId, CatalogId> extensions_;
};

}  // namespace pgsluice::schema
