#include "pg/poll_io.h"

namespace pgsluice::pg {

namespace {

class PollSession : public WireIo::Session {
 public:
  void wait(std::initializer_list<Wire*> wires) override { Wire::wait(wires); }
};

}  // namespace

std::unique_ptr<WireIo::Session> PollIo::begin(Wire& /*one*/, Wire& /*other*/) {
  return std::make_unique<PollSession>();
}

}  // namespace pgsluice::pg
