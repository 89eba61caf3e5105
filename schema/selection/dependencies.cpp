#include "schema/selection/dependencies.h"

#include <algorithm>
#include <utility>

namespace pgsluice::schema {

Dependencies Dependencies::read(pg::Connection& source) {
  std::vector<Dependency> all;
  for (const pg::Row row :
       source.execute("SELECT DISTINCT classid, objid, refclassid, refobjid, deptype FROM pg_catalog.pg_depend"
                      " WHERE deptype <> 'p' AND objid >= 16384 AND (classid <> refclassid OR objid <> refobjid)")) {
    all.push_back({{row.oid(0), row.oid(1)}, {row.oid(2), row.oid(3)}, row.text(4).front()});
  }
  return Dependencies(std::move(all));
}

Dependencies::Dependencies(std::vector<Dependency> all) : by_need_(std::move(all)), by_dependent_(by_need_) {
  for (const Dependency& dependency : by_need_) {
    if (dependency.type == 'e') extensions_[dependency.dependent] = dependency.on;
  }
  std::sort(by_need_.begin(), by_need_.end(), [](const auto& a, const auto& b) { return a.on < b.on; });
  std::sort(by_dependent_.begin(), by_dependent_.end(),
            [](const auto& a, const auto& b) { return a.dependent < b.dependent; });
}

std::span<const Dependency> Dependencies::dependents_of(CatalogId on) const {
  const auto begin =
      std::lower_bound(by_need_.begin(), by_need_.end(), on, [](const Dependency& a, CatalogId b) { return a.on < b; });
  const auto end =
      std::upper_bound(begin, by_need_.end(), on, [](CatalogId a, const Dependency& b) { return a < b.on; });
  return {begin, end};
}

std::span<const Dependency> Dependencies::needs_of(CatalogId dependent) const {
  const auto begin = std::lower_bound(by_dependent_.begin(), by_dependent_.end(), dependent,
                                      [](const Dependency& a, CatalogId b) { return a.dependent < b; });
  const auto end = std::upper_bound(begin, by_dependent_.end(), dependent,
                                    [](CatalogId a, const Dependency& b) { return a < b.dependent; });
  return {begin, end};
}

std::optional<CatalogId> Dependencies::extension_of(CatalogId member) const {
  const auto found = extensions_.find(member);
  return found == extensions_.end() ? std::nullopt : std::optional(found->second);
}

bool Dependencies::is_of_extension(CatalogId id) const {
  if (extensions_.contains(id)) return true;
  const std::span<const Dependency> needs = needs_of(id);
  return std::any_of(needs.begin(), needs.end(), [&](const Dependency& dependency) {
    return dependency.is_part() && extensions_.contains(dependency.on);
  });
}

}  // namespace pgsluice::schema
