#pragma once

#include "pgsluice/copy/relay.h"

namespace pgsluice::copy {

/// The relay on the protocol itself (pg/wire.h): the source's CopyData messages are handed on as they came, many rows
/// with one call of each socket. An error of the target ends the copy when it is said, not at the stream's end.
/// Memory: a buffer of 1 MB, and the statements of the streams. Both connections' sockets must be available to Wire.
class WireRelay : public Relay {
 public:
  using Relay::run;
  RelayResult run(pg::Connection& source, pg::Connection& target, std::span<const RelayRequest> requests) override;
};

}  // namespace pgsluice::copy
