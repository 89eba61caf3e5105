#pragma once

#include <memory>
#include <optional>
#include <string>

#include "pg/wire_io.h"

namespace pgsluice::pg {

/// By io_uring: a receive and a send of each wire are in flight at the same time, and one system call both hands in new
/// ones and waits. For wires in the clear; TLS is libpq's library's, which wants the socket: these are polled.
///
/// Buffers are not registered with the kernel: a socket's bytes are copied from and to them either way.
/// Source: io_uring_prep_send(3), io_uring_prep_recv(3) of liburing 2.3.
class UringIo : public WireIo {
 public:
  /// Why this kernel does not let us (containers often forbid io_uring); nullopt if it does.
  static std::optional<std::string> unavailable_because();

  /// Throws Error(kSystem).
  UringIo();
  UringIo(const UringIo&) = delete;
  UringIo& operator=(const UringIo&) = delete;
  ~UringIo() override;

  std::unique_ptr<Session> begin(Wire& one, Wire& other) override;

 private:
  struct Ring;
  class RingSession;
  const std::unique_ptr<Ring> ring_;
};

}  // namespace pgsluice::pg
