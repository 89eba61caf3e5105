#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/cluster.h"
#include "tests/support/proxy.h"

namespace pgsluice::test {

/// A fault of a line, which happens once: when so many bytes have gone one way.
struct Fault {
  enum class Kind {
    kDelay,     ///< the line stands still for 100 ms, then goes on
    kCut,       ///< both ends are closed in order
    kReset,     ///< both ends are reset; the server's is a Unix socket, which can only be closed
    kTruncate,  ///< this way ends here, and what comes after is thrown away; the other way goes on until its end
    kHalfOpen,  ///< the client's end is reset, and the server hears nothing any more: its session lives on
  };
  enum class Way { kToServer, kToClient };
  enum class Reach {
    kSession,      ///< the session whose byte it is
    kAllSessions,  ///< all that there are
  };

  Kind kind = Kind::kCut;
  Way way = Way::kToServer;
  /// Behind which byte; the first one is 1.
  std::int64_t byte = 1;
  Reach reach = Reach::kSession;
};

inline constexpr std::array kAllFaults = {Fault::Kind::kDelay, Fault::Kind::kCut, Fault::Kind::kReset,
                                          Fault::Kind::kTruncate, Fault::Kind::kHalfOpen};
inline constexpr std::array kBothWays = {Fault::Way::kToServer, Fault::Way::kToClient};

/// "reset after byte 17 to the server".
std::string describe(const Fault& fault);

/// A line to a server on which one fault happens, and which is an honest one before and after it: a TCP port of
/// 127.0.0.1. All calls from any thread. The destructor ends all sessions, the half-open ones too.
class FaultProxy {
 public:
  explicit FaultProxy(const Cluster& cluster) : FaultProxy(ServerPlace{.unix_socket = cluster.socket_path()}) {}
  explicit FaultProxy(ServerPlace place);

  std::string conninfo(std::string_view database) const { return proxy_.conninfo(database); }

  /// Counts anew from here on, over all sessions; nothing: counts only.
  void arm(const std::optional<Fault>& fault);
  /// The bytes that have come for one way since then.
  std::int64_t passed(Fault::Way way) const;
  /// True if the fault has been met.
  bool has_happened() const;

 private:
  class Session;

  /// Returns how much of a piece passes before the fault, if any.
  struct Passage {
    std::size_t bytes = 0;
    std::optional<Fault> fault;
  };
  Passage let_pass(Fault::Way way, std::size_t bytes, const Session& session);
  void keep_open(FileDescriptor server);

  mutable std::mutex mutex_;
  std::optional<Fault> fault_;  // until it has happened
  bool has_happened_ = false;
  std::array<std::int64_t, 2> passed_{};
  std::vector<Session*> sessions_;
  std::vector<FileDescriptor> half_open_;
  Proxy proxy_;
};

}  // namespace pgsluice::test
