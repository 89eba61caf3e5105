#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "pgsluice/migration/properties.h"
#include "pgsluice/options.h"

namespace pgsluice::migration {

/// The subject of a validation: the servers, and what will be copied between them.
struct ValidationRequest {
  /// Connection strings; their databases are only used where none below is meant.
  std::string source;
  std::string target;
  /// In the place of a source server: Request::archive.
  std::filesystem::path archive = {};
  std::vector<std::string> databases;
  /// Databases of the target that are copied into as they are, by the names of the source's. Each other one is made,
  /// under the source's name.
  std::map<std::string, std::string> existing_targets = {};
  /// True for a clone, false for a migration, which is worded otherwise and replaces databases.
  bool is_clone = false;
  /// True if no property names the target server, so that the name by which the user calls it was taken for its host.
  bool target_by_name = false;
  /// True if roles are copied before.
  bool roles = false;
  /// True if databases that are there are dropped and made again.
  Overwrite overwrite = Overwrite::kNo;
  /// Databases that stay as they are on the target: an earlier attempt has made them.
  std::set<std::string> kept = {};
  pipeline::CloneOptions engine;
  /// True if what was copied is compared with the source (verification.h).
  bool verify = false;

  bool makes_databases() const { return existing_targets.size() < databases.size(); }
};

/// That of a migration.
ValidationRequest validation_request(const Request& request);

}  // namespace pgsluice::migration
