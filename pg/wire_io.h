#pragma once

#include <initializer_list>
#include <memory>

#include "pg/wire.h"

namespace pgsluice::pg {

/// How the bytes of two wires are moved, and waited for. One thread.
class WireIo {
 public:
  virtual ~WireIo() = default;

  /// Between its making and its end the wires' bytes are moved by it alone. To be destroyed before the wires.
  class Session {
   public:
    virtual ~Session() = default;
    /// As Wire::wait(), for one or both of the session's wires.
    virtual void wait(std::initializer_list<Wire*> wires) = 0;
  };
  virtual std::unique_ptr<Session> begin(Wire& one, Wire& other) = 0;
};

}  // namespace pgsluice::pg
