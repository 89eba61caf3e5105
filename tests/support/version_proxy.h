#pragma once

#include <string>
#include <string_view>

#include "tests/support/proxy.h"

namespace pgsluice::test {

/// A server that says it is of another version: 9.5 and 9.6 cannot be had here.
class VersionProxy {
 public:
  /// `version` as a server says it: "9.6.24".
  VersionProxy(std::string server_socket, std::string version);

  /// As superuser postgres, without TLS.
  std::string conninfo(std::string_view database) const { return proxy_.conninfo(database); }

 private:
  const std::string version_;
  Proxy proxy_;
};

}  // namespace pgsluice::test
