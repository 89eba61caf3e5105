#pragma once

#include <memory>

#include "copy/relay.h"
#include "pg/poll_io.h"

namespace pgsluice::copy {

/// The relay on the protocol itself (pg/wire.h): the source's CopyData messages are handed on as they came, many rows
/// with one call of each socket. An error of the target ends the copy when it is said, not at the stream's end.
/// Memory: a buffer of 384 kB, and the statements of the streams. Both connections' sockets must be available to Wire.
class WireRelay : public Relay {
 public:
  explicit WireRelay(std::unique_ptr<pg::WireIo> io = std::make_unique<pg::PollIo>()) : io_(std::move(io)) {}

  using Relay::run;
  RelayResult run(pg::Connection& source, pg::Connection& target, std::span<const RelayRequest> requests) override;

 private:
  const std::unique_ptr<pg::WireIo> io_;
};

}  // namespace pgsluice::copy
