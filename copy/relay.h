#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "copy/flow.h"
#include "copy/row_digest.h"
#include "pg/connection.h"
#include "pgsluice/row_options.h"

namespace pgsluice::copy {

/// Two matching statements in the same format: COPY … TO STDOUT and COPY … FROM STDIN. The text of each may contain
/// other statements before the COPY.
struct RelayRequest {
  std::string copy_out;
  std::string copy_in;
  /// Gets the payload as it passes.
  Flow flow;
  /// Gets every row on its way, where rows are to be digested.
  RowDigester* digester = nullptr;
};

/// The answers of both servers at the end of a COPY. The caller compares them before it commits.
struct RelayOutcome {
  std::int64_t source_rows = 0;
  std::int64_t target_rows = 0;
  /// The time from the end of the previous stream to the end of this one.
  std::chrono::nanoseconds duration{};
};

struct RelayResult {
  /// One for each completed stream, in the order of the requests.
  std::vector<RelayOutcome> outcomes;
  /// The error that stopped the others; nullopt if all are complete.
  std::optional<Error> error;
  /// The index of the request that failed; valid only with `error`.
  std::size_t failed = 0;
};

/// Carries COPY streams between two sessions. The relay and both sessions must be used by one thread at a time.
class Relay {
 public:
  virtual ~Relay() = default;

  /// Carries one stream after another, as far as the connections allow without waiting for the answers in between. On
  /// success, all COPYs are complete and the sessions are otherwise unchanged. On failure, `error` is that of the side
  /// that failed; no further stream is completed on the target, and a session may be closed. Throws Error(kCancelled).
  virtual RelayResult run(pg::Connection& source, pg::Connection& target, std::span<const RelayRequest> requests) = 0;

  /// One stream. Throws its Error.
  RelayOutcome run(pg::Connection& source, pg::Connection& target, const RelayRequest& request);
};

/// Returns a relay for this transport, or the fastest one that is available if it is not.
std::unique_ptr<Relay> make_relay(const pg::Connection& source, const pg::Connection& target,
                                  Transport transport = Transport::kAuto);

}  // namespace pgsluice::copy
