#pragma once

#include <filesystem>
#include <string>
#include <string_view>

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

/// The content of such a file.
std::string definitions_text(const SavedDefinitions& definitions);

/// Whole or not at all. Throws Error(kState) when the file cannot be written.
void write_definitions(const SavedDefinitions& definitions, const std::filesystem::path& file);

/// Reads the content of such a file, which is named in messages. Throws Error(kState) for one that is damaged or of
/// another version.
SavedDefinitions parse_definitions(std::string_view bytes, std::string_view file);

/// Throws Error(kState) for a file that is not there, and as parse_definitions() does.
SavedDefinitions read_definitions_file(const std::filesystem::path& file);

}  // namespace pgsluice::schema
