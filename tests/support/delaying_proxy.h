#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

#include "tests/support/cluster.h"
#include "tests/support/proxy.h"

namespace pgsluice::test {

/// A line between a client and a server.
struct Line {
  std::chrono::milliseconds each_way{};
  /// The limit of each session, in each direction; 0: no limit.
  double bytes_per_second = 0;
};

/// A server seen from far away: a TCP port of 127.0.0.1 whose bytes arrive later, in each direction. It reads the
/// protocol that passes, to tell how statements were sent.
class DelayingProxy {
 public:
  DelayingProxy(const Cluster& cluster, std::chrono::milliseconds each_way);
  /// In front of a server's Unix socket.
  DelayingProxy(std::string server_socket, const Line& line);

  std::string conninfo(std::string_view database) const { return proxy_.conninfo(database); }
  int port() const { return proxy_.port(); }

  /// Query messages so far, and those of them that were sent while the session had none unanswered: each of these has
  /// cost a round trip of its own.
  int queries() const { return queries_; }
  int lonely_queries() const { return lonely_queries_; }

 private:
  void carry(const FileDescriptor& client, const FileDescriptor& server, const CancelToken& stop);

  const Line line_;
  std::atomic<int> queries_{0};
  std::atomic<int> lonely_queries_{0};
  Proxy proxy_;
};

}  // namespace pgsluice::test
