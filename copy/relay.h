#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pgsluice/pg/connection.h"

namespace pgsluice::copy {

/// Two statements whose streams fit: COPY … TO STDOUT and COPY … FROM STDIN, of the same format. Other statements may
/// stand before the latter in its text.
struct RelayRequest {
  std::string copy_out;
  std::string copy_in;
  /// Counts the payload on its way, for progress; read by others at any time.
  std::atomic<std::int64_t>& bytes;
};

/// What both servers said at the end of a COPY. It is the caller's to compare them before committing.
struct RelayOutcome {
  std::int64_t source_rows = 0;
  std::int64_t target_rows = 0;
  /// From the end of the stream before it to its own.
  std::chrono::nanoseconds duration{};
};

struct RelayResult {
  /// Of the streams that are whole, in their order.
  std::vector<RelayOutcome> outcomes;
  /// Why there are no more.
  std::optional<Error> error;
  /// Which request the error is about.
  std::size_t failed = 0;
};

/// Carries COPY streams between two sessions that belong to the calling thread. An implementation keeps no state
/// between calls, so one serves many threads.
class Relay {
 public:
  virtual ~Relay() = default;

  /// One stream behind another, as far as the connections allow without waiting for answers between. Without an error
  /// both sessions are afterwards as they were, with the COPYs done. With one, which is that of the side that failed,
  /// no other stream is finished on the target; a session may be closed. Throws Error(kCancelled).
  virtual RelayResult run(pg::Connection& source, pg::Connection& target, std::span<const RelayRequest> requests) = 0;

  /// One stream. Throws its Error.
  RelayOutcome run(pg::Connection& source, pg::Connection& target, const RelayRequest& request);
};

/// The fastest relay that these two connections allow: on the wire where the sockets of both can be had.
std::unique_ptr<Relay> make_relay(const pg::Connection& source, const pg::Connection& target);

}  // namespace pgsluice::copy
