#include "pgsluice/copy/relay.h"

#include "pgsluice/copy/libpq_relay.h"
#include "pgsluice/copy/wire_relay.h"
#include "pgsluice/pg/query_pipeline.h"

namespace pgsluice::copy {

RelayOutcome Relay::run(pg::Connection& source, pg::Connection& target, const RelayRequest& request) {
  const RelayResult result = run(source, target, std::span(&request, 1));
  if (result.error) throw *result.error;
  return result.outcomes.front();
}

std::unique_ptr<Relay> make_relay(const pg::Connection& source, const pg::Connection& target) {
  using pg::Transport;
  const bool wire = pg::best_transport(source) == Transport::kWire && pg::best_transport(target) == Transport::kWire;
  if (wire) return std::make_unique<WireRelay>();
  return std::make_unique<LibpqRelay>();
}

}  // namespace pgsluice::copy
