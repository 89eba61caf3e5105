#pragma once

#include <filesystem>
#include <string>

#include "schema/catalog/catalog.h"
#include "schema/selection/selection.h"

namespace pgsluice::schema {

/// The facts beside the archive that a later command needs, which has no source to read them from.
struct SavedDefinitions {
  Catalog catalog;
  Selection selection;
  std::string filters;            ///< FilterRules::to_text()
  std::string system_identifier;  ///< of the source's server; empty where it may not be read
};

/// Whole or not at all. Throws Error(kState) when the file cannot be written.
void write_definitions(const SavedDefinitions& definitions, const std::filesystem::path& file);

/// Throws Error(kState) for a file that is not there, damaged, or of another version.
SavedDefinitions read_definitions_file(const std::filesystem::path& file);

}  // namespace pgsluice::schema
