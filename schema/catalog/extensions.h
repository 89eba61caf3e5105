#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pgsluice/restore_options.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// Reads a requirements file: a JSON array of {"name": …, "version": …}, as `pgsluice list extensions --requirements
/// --json` writes it. Throws Error(kConfig) for a file that is none.
ExtensionVersions read_requirements(const std::filesystem::path& file);

/// Puts the versions into the archive's CREATE EXTENSION.
void apply(const ExtensionVersions& versions, Archive& archive);

struct ExtensionsOutcome {
  std::vector<std::string> created;
  std::vector<std::string> there_already;
};

struct WantedExtension {
  std::string name;
  std::string schema;
  std::optional<std::string> version;
  /// The owner of the schema when it is made for the extension; empty: the user.
  std::string schema_owner = {};
};

/// Makes the extensions that the target has not, with what they need, each in its schema, which is made for it: for its
/// owner, where the target has such a role and the user may give it that. One transaction. Throws Error naming the
/// extension; nothing was made.
ExtensionsOutcome create_extensions(pg::Connection& target, const std::vector<WantedExtension>& extensions);

}  // namespace pgsluice::schema
