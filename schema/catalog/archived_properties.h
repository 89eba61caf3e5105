#pragma once

#include <string_view>
#include <vector>

#include "schema/archive/archive.h"
#include "schema/catalog/database_properties.h"
#include "schema/catalog/expression_settings.h"

namespace pgsluice::schema {

/// The properties of the database that was dumped, as read_database_properties() reads them from a source, for a
/// database of another name. Literals in the statements are written as the archive writes them (begin_restore()). Empty
/// for an archive that pg_dump made without them, as one of some tables only.
std::vector<DatabaseProperty> properties_of_archive(const Archive& archive, std::string_view target_database,
                                                    const RestoreOptions& options);

/// The settings among these that values of users' expressions may depend on, as far as the database itself set them.
ExpressionSettings expression_settings_of(const Archive& archive);

}  // namespace pgsluice::schema
