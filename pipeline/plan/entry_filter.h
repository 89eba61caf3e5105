#pragma once

#include <optional>
#include <string>

#include "schema/archive/archive.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::pipeline {

/// Why an entry is left out on this target, for a person: a schema or an extension that is there is taken as it is, and
/// stays as it is where it belongs to others. Returns nullopt for what is carried out.
std::optional<std::string> reason_to_leave_out(const schema::TocEntry& entry, const schema::TargetInventory& inventory);

}  // namespace pgsluice::pipeline
