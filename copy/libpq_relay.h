#pragma once

#include "copy/relay.h"

namespace pgsluice::copy {

/// The relay by libpq's COPY calls: works over every kind of connection. Memory: a row of the source, and up to
/// 256 kB more that wait for the target.
class LibpqRelay : public Relay {
 public:
  using Relay::run;
  RelayResult run(pg::Connection& source, pg::Connection& target, std::span<const RelayRequest> requests) override;
};

}  // namespace pgsluice::copy
