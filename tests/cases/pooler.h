#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/subprocess.h"
#include "tests/support/cluster.h"

namespace pgsluice::test {

inline constexpr const char* kNoPooler = "no PgBouncer was unpacked: run tools/test";

/// A PgBouncer before a server, on a TCP port of 127.0.0.1; ended with the object. It lets any user in, as postgres.
class Pooler {
 public:
  enum class Mode { kSession, kTransaction, kStatement };

  /// `aliases` are names that clients know databases by, each with the server's own name; all other names are the
  /// server's. `settings` are further lines of its configuration.
  Pooler(const Cluster& server, Mode mode, const std::map<std::string, std::string>& aliases = {},
         const std::vector<std::string>& settings = {});

  /// False where it is not installed; under CI=true that is an error.
  static bool is_installed();

  std::string conninfo(std::string_view database) const;
  int port() const { return port_; }

  /// Returns the settings of the sessions that it holds with the server (search_path, row_security), those of `count`
  /// sessions that a database's next clients get at the same time, one line each.
  std::vector<std::string> settings_of_sessions(std::string_view database, int count = 6) const;

 private:
  Mode mode_;
  int port_;
  std::filesystem::path configuration_;
  std::unique_ptr<Subprocess> process_;
};

}  // namespace pgsluice::test
