#pragma once

#include "pgsluice/copy/relay.h"

namespace pgsluice::copy {

/// The relay on the protocol itself (pg/wire.h): the source's CopyData messages are handed on as they came, many rows
/// with one call of each socket. An error of the target ends the copy when it is said, not at the stream's end.
/// Memory: a buffer of 1 MB. Both connections' sockets must be available to Wire.
class WireRelay : public Relay {
 public:
  RelayOutcome run(pg::Connection& source, pg::Connection& target, const RelayRequest& request) override;
};

}  // namespace pgsluice::copy
