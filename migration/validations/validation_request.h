#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "migration/properties.h"
#include "pipeline/plan/options.h"

namespace pgsluice::migration {

/// What is to be validated: the servers, and what will be copied between them.
struct ValidationRequest {
  /// Connection strings; their databases are only used where none below is meant.
  std::string source;
  std::string target;
  std::vector<std::string> databases;
  /// The target's database, where it is there and stays: a clone's. Else each is made, under the source's name.
  std::optional<std::string> existing_target;
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
};

/// That of a migration.
ValidationRequest validation_request(const Request& request);

}  // namespace pgsluice::migration
