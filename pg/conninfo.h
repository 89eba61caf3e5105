#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pgsluice/error.h"

namespace pgsluice::pg {

/// A libpq connection string, parsed. Immutable; any thread. Its secrets are only handed to libpq or, by the
/// environment, to a program; redacted() is what may be shown.
/// https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING
class ConnInfo {
 public:
  /// From a URI or keyword/value text. Throws Error(kUsage) without any part of the text that may be a secret.
  static ConnInfo parse(std::string_view text, Side side);

  Side side() const { return side_; }

  /// A parameter as given; nullopt if it was not (libpq's environment variables and defaults still apply).
  std::optional<std::string> get(std::string_view key) const;

  /// Returns a copy with one parameter set.
  ConnInfo with(std::string_view key, std::string_view value) const;

  /// Returns the parameters that libpq is given: with TCP keepalives every 10 s, 60 of them, unless the parameters say
  /// otherwise.
  std::map<std::string, std::string, std::less<>> parameters_for_libpq() const;

  /// Keyword/value text without secrets.
  std::string redacted() const;

  /// Returns what a client program such as pg_dump needs: a connection string for its arguments, and an environment
  /// with the password in which it speaks English, since its words are read. Throws Error(kConfig) for a secret that
  /// libpq takes from no environment variable (sslpassword).
  struct ForProgram {
    std::string conninfo;
    std::vector<std::pair<std::string, std::string>> environment;
  };
  ForProgram for_program() const;

  const std::map<std::string, std::string, std::less<>>& parameters() const { return parameters_; }

 private:
  explicit ConnInfo(Side side) : side_(side) {}

  Side side_;
  std::map<std::string, std::string, std::less<>> parameters_;
};

}  // namespace pgsluice::pg
