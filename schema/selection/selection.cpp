#include "schema/selection/selection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <utility>

#include "schema/selection/selector.h"

namespace pgsluice::schema {

namespace {

// The server's words for each object, in the same order.
std::vector<std::string> describe(pg::Connection& source, const std::vector<CatalogId>& ids) {
  std::vector<Oid> catalogs;
  std::vector<Oid> oids;
  for (const CatalogId& id : ids) {
    catalogs.push_back(id.table);
    oids.push_back(id.oid);
  }
  const std::array<std::string, 2> parameters = {fmt::format("{{{}}}", fmt::join(catalogs, ",")),
                                                 fmt::format("{{{}}}", fmt::join(oids, ","))};
  std::vector<std::string> texts;
  for (const pg::Row row :
       source.execute("SELECT coalesce(pg_catalog.pg_describe_object(catalog, oid, 0), '?')"
                      "  FROM (SELECT pg_catalog.unnest($1::oid[]) AS catalog, pg_catalog.unnest($2::oid[]) AS oid) o",
                      parameters)) {
    texts.emplace_back(row.text(0));
  }
  return texts;
}

}  // namespace

Selection select_objects(pg::Connection& source, const SelectionRequest& request) {
  if (request.rules.empty() && !request.skip_extensions) return {};
  auto [selection, dependents] = select_objects(read_object_names(source), Dependencies::read(source), request);
  std::vector<CatalogId> ids;
  for (const auto& [id, because] : dependents) {
    ids.push_back(id);
    ids.push_back(because);
  }
  const std::vector<std::string> words = describe(source, ids);
  for (std::size_t i = 0; i < ids.size(); i += 2) {
    selection.dependents.push_back({.id = ids[i], .object = words[i], .because = words[i + 1]});
  }
  return std::move(selection);
}

Selection select_objects(pg::Connection& source, pg::Connection& target, const FilterRules& rules,
                         bool skip_extensions) {
  if (rules.empty() && !skip_extensions) return {};
  SelectionRequest request{.rules = rules, .skip_extensions = skip_extensions};
  for (const auto& [name, in_schema] : read_extensions(target)) request.extensions_on_target.insert(name);
  return select_objects(source, request);
}

}  // namespace pgsluice::schema
