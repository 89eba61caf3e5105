#pragma once

#include <utility>
#include <vector>

#include "schema/selection/closure.h"
#include "schema/selection/selection.h"

namespace pgsluice::schema {

/// A selection, and what select_objects() still asks the server: the words for objects.
struct UndescribedSelection {
  Selection selection;
  /// Objects that go with others, each with what it depends on; for Selection::dependents.
  std::vector<std::pair<CatalogId, CatalogId>> dependents;
};

/// Applies a filter's rules to what there is. Asks no server: docs/filters.md, line by line.
UndescribedSelection select_objects(const ObjectNames& names, const Dependencies& dependencies,
                                    const SelectionRequest& request);

}  // namespace pgsluice::schema
