#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "pgsluice/base/cancel.h"
#include "pgsluice/base/file_descriptor.h"

namespace pgsluice::test {

/// A TCP port of 127.0.0.1 in front of a server's Unix socket. What becomes of a session's bytes is up to the callback:
/// it gets the sockets of both ends, on a thread of the session's own, and returns when the session is over or `stop`
/// is cancelled. The destructor waits for all of them, so the proxy is the last member of whoever the callback belongs
/// to.
class Proxy {
 public:
  using Carry = std::function<void(FileDescriptor client, FileDescriptor server, const CancelToken& stop)>;

  Proxy(std::string server_socket, Carry carry);
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;
  ~Proxy();

  int port() const;
  /// As superuser postgres, without TLS.
  std::string conninfo(std::string_view database) const;

 private:
  void begin_session(FileDescriptor client);

  const std::string server_socket_;
  const Carry carry_;
  FileDescriptor listener_;
  CancelSource stop_;
  std::vector<std::jthread> sessions_;
  std::jthread acceptor_;
};

}  // namespace pgsluice::test
