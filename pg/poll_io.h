#pragma once

#include <initializer_list>
#include <memory>

#include "pg/wire_io.h"

namespace pgsluice::pg {

/// By poll(2), send(2) and recv(2), or TLS: works everywhere.
class PollIo : public WireIo {
 public:
  std::unique_ptr<Session> begin(Wire& one, Wire& other) override;
};

}  // namespace pgsluice::pg
