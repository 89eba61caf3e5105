#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "pgsluice/cancel.h"

namespace pgsluice::test {

/// Where a server listens, and what a conninfo for superuser postgres says besides host, port and database.
struct ServerPlace {
  std::string unix_socket;  ///< empty: TCP on 127.0.0.1
  int port = 0;
  std::string login = "user=postgres sslmode=disable";
};

/// A TCP port of 127.0.0.1 in front of a server. What becomes of a session's bytes is up to the callback:
/// it gets the sockets of both ends, on a thread of the session's own, and returns when the session is over or `stop`
/// is cancelled. The destructor waits for all of them, so the proxy is the last member of whoever the callback belongs
/// to.
class Proxy {
 public:
  using Carry = std::function<void(FileDescriptor client, FileDescriptor server, const CancelToken& stop)>;

  Proxy(ServerPlace server, Carry carry);
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;
  ~Proxy();

  int port() const;
  /// As superuser postgres.
  std::string conninfo(std::string_view database) const;

 private:
  void begin_session(FileDescriptor client);

  const ServerPlace server_;
  const Carry carry_;
  FileDescriptor listener_;
  CancelSource stop_;
  std::vector<std::jthread> sessions_;
  std::jthread acceptor_;
};

}  // namespace pgsluice::test
