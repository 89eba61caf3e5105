#include "schema/selection/closure.h"

#include <algorithm>
#include <span>

namespace pgsluice::schema {

Closure::Closure(const ObjectNames& names, const Dependencies& dependencies)
    : names_(names), dependencies_(dependencies) {
  for (const NamedObject& relation : names.relations) {
    if (relation.is_sequence()) sequences_.insert(relation.oid);
  }
}

void Closure::leave_out(CatalogId id, CatalogId because) {
  if (!left_out_.insert(id).second) return;
  because_.emplace(id, because);
  to_follow_.push_back(id);
}

void Closure::follow() {
  while (!to_follow_.empty()) {
    const CatalogId id = to_follow_.front();
    to_follow_.pop_front();
    for (const Dependency& edge : dependencies_.dependents_of(id)) leave_out_dependent(edge);
    // A part of a definition cannot go without it.
    for (const Dependency& dependency : dependencies_.needs_of(id)) {
      const bool written_in_it = dependency.type == 'a' && (id.table == kPgAttrdef || is_inline_constraint(id));
      if (dependency.type == 'i' || written_in_it) leave_out(dependency.on, because_.at(id));
    }
  }
}

void Closure::leave_out_dependent(const Dependency& dependency) {
  const CatalogId id = dependency.dependent;
  // A schema's extensions and their members go elsewhere.
  if (dependency.on.table == kPgNamespace && (id.table == kPgExtension || dependencies_.extension_of(id))) return;
  if (dependency.type == 'a' && id.table == kPgClass && sequences_.contains(id.oid)) {
    owned_sequences_.push_back(dependency);
    return;
  }
  leave_out(id, dependency.on);
}

bool Closure::is_inline_constraint(CatalogId id) const {
  return id.table == kPgConstraint && names_.inline_constraints.contains(id.oid);
}

bool Closure::is_called(CatalogId sequence) const {
  const std::span<const Dependency> calls = dependencies_.dependents_of(sequence);
  return std::any_of(calls.begin(), calls.end(), [&](const Dependency& call) {
    return call.dependent.table == kPgAttrdef && keeps(call.dependent);
  });
}

void Closure::complete() {
  follow();
  // Each sequence that goes may take a default along that has called another one.
  for (std::size_t before = left_out_.size() + 1; before != left_out_.size();) {
    before = left_out_.size();
    for (const Dependency& owned : std::vector<Dependency>(owned_sequences_)) {
      if (keeps(owned.dependent) && !is_called(owned.dependent)) leave_out(owned.dependent, owned.on);
    }
    follow();
  }
}

std::set<Oid> Closure::sequences_without_owner() const {
  std::set<Oid> result;
  for (const Dependency& owned : owned_sequences_) {
    if (keeps(owned.dependent)) result.insert(owned.dependent.oid);
  }
  return result;
}

}  // namespace pgsluice::schema
