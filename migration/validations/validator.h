#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/log.h"
#include "migration/migration.h"
#include "migration/properties.h"
#include "migration/validations/validation_request.h"
#include "pg/connection.h"

namespace pgsluice::migration {

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
