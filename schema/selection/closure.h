#pragma once

#include <deque>
#include <map>
#include <set>
#include <vector>

#include "schema/selection/dependencies.h"
#include "schema/selection/object_names.h"

namespace pgsluice::schema {

/// The objects that are left out of a copy, with all that cannot be without them: a view of its table, a key of the
/// table that it refers to. Asks no server. Both arguments outlive it.
class Closure {
 public:
  Closure(const ObjectNames& names, const Dependencies& dependencies);

  /// An object that is left out by its own name. complete() adds what depends on it.
  void leave_out(CatalogId id) { leave_out(id, id); }
  /// An object that is left out, while what depends on it stays: it is on the target.
  void leave_out_alone(CatalogId id) { left_out_.insert(id); }
  /// Adds all that depends on what was left out, and what is written in a definition that goes. A sequence goes with
  /// the table that owns it, unless a default of a table that stays calls it.
  void complete();
  /// A schema whose objects are left out, and which has to be made all the same.
  void take_back(CatalogId id) { left_out_.erase(id); }

  bool keeps(CatalogId id) const { return !left_out_.contains(id); }
  const std::set<CatalogId>& left_out() const { return left_out_; }
  /// For each object that was followed, the object it depends on that is left out; itself if it was left out by its
  /// name.
  const std::map<CatalogId, CatalogId>& because() const { return because_; }
  /// Sequences that stay, although the tables that own them do not.
  std::set<Oid> sequences_without_owner() const;

 private:
  void leave_out(CatalogId id, CatalogId because);
  void leave_out_dependent(const Dependency& dependency);
  void follow();
  bool is_inline_constraint(CatalogId id) const;
  bool is_called(CatalogId sequence) const;

  const ObjectNames& names_;
  const Dependencies& dependencies_;
  std::set<Oid> sequences_;
  std::set<CatalogId> left_out_;
  std::map<CatalogId, CatalogId> because_;
  std::deque<CatalogId> to_follow_;
  std::vector<Dependency> owned_sequences_;
};

}  // namespace pgsluice::schema
