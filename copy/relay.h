#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "pgsluice/pg/connection.h"

namespace pgsluice::copy {

/// Two statements whose streams fit: COPY … TO STDOUT and COPY … FROM STDIN, of the same format.
struct RelayRequest {
  std::string copy_out;
  std::string copy_in;
  /// Counts the payload on its way, for progress; read by others at any time.
  std::atomic<std::int64_t>& bytes;
};

/// What both servers said at the end of the COPY. It is the caller's to compare them before committing.
struct RelayOutcome {
  std::int64_t source_rows = 0;
  std::int64_t target_rows = 0;
};

/// Carries a COPY stream between two sessions that belong to the calling thread. An implementation keeps no state
/// between calls, so one serves many threads.
class Relay {
 public:
  virtual ~Relay() = default;

  /// On return both sessions are as they were, with the COPY done. Throws the Error of the side that failed; the other
  /// side's COPY is then ended (the source's cancelled, the target's failed), never finished.
  virtual RelayOutcome run(pg::Connection& source, pg::Connection& target, const RelayRequest& request) = 0;
};

/// The fastest relay that these two connections allow: on the wire where the sockets of both can be had.
std::unique_ptr<Relay> make_relay(const pg::Connection& source, const pg::Connection& target);

}  // namespace pgsluice::copy
