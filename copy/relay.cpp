#include "pgsluice/copy/relay.h"

#include "pgsluice/copy/libpq_relay.h"
#include "pgsluice/copy/wire_relay.h"
#include "pgsluice/pg/wire_io.h"

namespace pgsluice::copy {

RelayOutcome Relay::run(pg::Connection& source, pg::Connection& target, const RelayRequest& request) {
  const RelayResult result = run(source, target, std::span(&request, 1));
  if (result.error) throw *result.error;
  return result.outcomes.front();
}

std::unique_ptr<Relay> make_relay(const pg::Connection& source, const pg::Connection& target, Transport transport) {
  const bool wire = pg::Wire::available(source) && pg::Wire::available(target);
  if (!wire || transport == Transport::kLibpq) return std::make_unique<LibpqRelay>();
  static const bool ring_allowed = !pg::UringIo::unavailable_because();
  if (transport == Transport::kPoll || !ring_allowed) return std::make_unique<WireRelay>();
  return std::make_unique<WireRelay>(std::make_unique<pg::UringIo>());
}

}  // namespace pgsluice::copy
