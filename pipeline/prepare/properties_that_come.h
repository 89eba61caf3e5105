#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "schema/archive/archive.h"
#include "schema/catalog/database_properties.h"

namespace pgsluice::pipeline {

/// The properties of the database itself that are given to the target's: of the source server or, without one, of the
/// archive. Without settings that are there already: setting them once more may need rights that their being there does
/// not. Throws Error(kServer).
std::vector<schema::DatabaseProperty> properties_that_come(std::optional<pg::Connection>& source,
                                                           pg::Connection& target, const schema::Archive& archive,
                                                           const schema::RestoreOptions& options);

/// The names of the settings among these that values of users' expressions may depend on. Throws Error(kServer).
std::set<std::string> names_of_settings_that_come(std::optional<pg::Connection>& source,
                                                  const schema::Archive& archive);

}  // namespace pgsluice::pipeline
