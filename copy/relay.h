#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "copy/row_digest.h"
#include "pg/connection.h"
#include "pgsluice/row_options.h"

namespace pgsluice::copy {

/// Two statements whose streams fit: COPY … TO STDOUT and COPY … FROM STDIN, of the same format. Other statements may
/// stand before either in its text.
struct RelayRequest {
  std::string copy_out;
  std::string copy_in;
  /// Counts the payload on its way, for progress; read by others at any time.
  std::atomic<std::int64_t>& bytes;
  /// Gets every row on its way, where rows are to be digested.
  RowDigester* digester = nullptr;
};

/// The answers of both servers at the end of a COPY. The caller compares them before it commits.
struct RelayOutcome {
  std::int64_t source_rows = 0;
  std::int64_t target_rows = 0;
  /// From the end of the stream before it to its own.
  std::chrono::nanoseconds duration{};
};

struct RelayResult {
  /// One for each stream that is whole, in their order.
  std::vector<RelayOutcome> outcomes;
  /// Why there are no more.
  std::optional<Error> error;
  /// Which request the error is about.
  std::size_t failed = 0;
};

/// Carries COPY streams between two sessions that belong to the calling thread, to which it belongs then.
class Relay {
 public:
  virtual ~Relay() = default;

  /// One stream after another, as far as the connections allow without waiting for answers between. Without an error
  /// both sessions are afterwards as they were, with the COPYs done. With one, which is that of the side that failed,
  /// no other stream is finished on the target; a session may be closed. Throws Error(kCancelled).
  virtual RelayResult run(pg::Connection& source, pg::Connection& target, std::span<const RelayRequest> requests) = 0;

  /// One stream. Throws its Error.
  RelayOutcome run(pg::Connection& source, pg::Connection& target, const RelayRequest& request);
};

/// The relay of this transport, or where that cannot be had the fastest that can.
std::unique_ptr<Relay> make_relay(const pg::Connection& source, const pg::Connection& target,
                                  Transport transport = Transport::kAuto);

}  // namespace pgsluice::copy
