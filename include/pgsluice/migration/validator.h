#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pgsluice/migration/migration.h"
#include "pgsluice/migration/properties.h"
#include "pgsluice/migration/validation_request.h"

namespace pgsluice::migration {

/// Finds what would make a copy fail or lose something, before it begins. Reads only, on both servers.
///
/// Lifecycle: made, then validate_servers(), then validate_database() for each. One thread.
class Validator {
 public:
  Validator(ValidationRequest request, const Log& log, const CancelToken& cancel);
  Validator(const Validator&) = delete;
  Validator& operator=(const Validator&) = delete;
  ~Validator();

  /// AuthenticationAndConnectivityValidation first; where it fails, there are no others.
  std::vector<Validation> validate_servers();
  bool reached_both() const;
  /// "15.18 (Debian …)"; empty of a server that was not reached.
  std::string version_of(Side side) const;

  std::vector<Validation> validate_database(const std::string& database);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace pgsluice::migration
