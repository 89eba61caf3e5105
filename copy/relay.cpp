#include "pgsluice/copy/relay.h"

#include "pgsluice/copy/libpq_relay.h"
#include "pgsluice/copy/wire_relay.h"
#include "pgsluice/pg/wire.h"

namespace pgsluice::copy {

std::unique_ptr<Relay> make_relay(const pg::Connection& source, const pg::Connection& target) {
  if (pg::Wire::available(source) && pg::Wire::available(target)) return std::make_unique<WireRelay>();
  return std::make_unique<LibpqRelay>();
}

}  // namespace pgsluice::copy
