#include "copy/relay.h"

#include <fmt/format.h>

#include "copy/libpq_relay.h"
#include "copy/wire_relay.h"
#include "pg/uring_io.h"

namespace pgsluice::copy {

RelayOutcome Relay::run(pg::Connection& source, pg::Connection& target, const RelayRequest& request) {
  const RelayResult result = run(source, target, std::span(&request, 1));
  if (result.error) throw *result.error;
  return result.outcomes.front();
}

std::unique_ptr<Relay> make_relay(const pg::Connection& source, const pg::Connection& target, Transport transport) {
  const bool wire = pg::Wire::available(source) && pg::Wire::available(target);
  if (!wire || transport == Transport::kLibpq) return std::make_unique<LibpqRelay>();
  if (transport == Transport::kPoll) return std::make_unique<WireRelay>();
  try {
    return std::make_unique<WireRelay>(std::make_unique<pg::UringIo>());
  } catch (const Error& error) {  // forbidden, or no descriptor or memory left for another ring
    source.log().debug(fmt::format("sockets are polled: {}", error.what()));
    return std::make_unique<WireRelay>();
  }
}

}  // namespace pgsluice::copy
