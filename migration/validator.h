#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pgsluice/base/cancel.h"
#include "pgsluice/base/log.h"
#include "pgsluice/migration/migration.h"
#include "pgsluice/migration/properties.h"
#include "pgsluice/pg/connection.h"
#include "pgsluice/pipeline/clone.h"

namespace pgsluice::migration {

/// What is to be validated: the servers, and what will be copied between them.
struct ValidationRequest {
  /// Connection strings; their databases are only used where none below is meant.
  std::string source;
  std::string target;
  std::vector<std::string> databases;
  /// The target's database, where it is there and stays: a clone's. Else each is made, under the source's name.
  std::optional<std::string> existing_target;
  /// Whether no property names the target server, so that the name by which the user calls it was taken for its host.
  bool target_by_name = false;
  /// Whether roles are copied before.
  bool roles = false;
  /// Whether databases that are there are dropped and made again.
  Overwrite overwrite = Overwrite::kNo;
  /// Those that stay as they are on the target: an earlier attempt has made them.
  std::set<std::string> kept = {};
  pipeline::CloneOptions engine;
  /// Whether what was copied is compared with the source (verification.h).
  bool verify = false;
};

/// That of a migration.
ValidationRequest validation_request(const Request& request);

/// Finds what would make a copy fail or lose something, before it begins. Reads only, on both servers.
///
/// Lifecycle: made, then validate_servers(), then validate_database() for each. One thread.
class Validator {
 public:
  Validator(ValidationRequest request, const Log& log, const CancelToken& cancel);
  ~Validator();

  /// AuthenticationAndConnectivityValidation first; where it fails, there are no others.
  std::vector<Validation> validate_servers();
  bool reached_both() const { return source_.has_value() && target_.has_value(); }
  /// "15.18 (Debian …)"; empty of a server that was not reached.
  std::string version_of(Side side) const;

  std::vector<Validation> validate_database(const std::string& database);

 private:
  ValidationRequest request_;
  Log log_;
  CancelToken cancel_;
  std::optional<pg::Connection> source_;
  std::optional<pg::Connection> target_;
};

/// A session with a migration's server. That of the target leads to a database that is not migrated.
/// Throws Error as pg::Connection::open().
pg::Connection connect_to_server(const Request& request, Side side, const Log& log, const CancelToken& cancel);

}  // namespace pgsluice::migration
