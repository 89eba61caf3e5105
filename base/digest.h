#pragma once

#include <memory>
#include <string_view>

#include "pgsluice/digest.h"

namespace pgsluice {

Digest digest_of(std::string_view text);

/// The digest of a text that comes in pieces.
class Digester {
 public:
  Digester();
  Digester(Digester&&) noexcept;
  Digester& operator=(Digester&&) noexcept;
  ~Digester();

  void add(std::string_view piece);
  /// Returns the digest of all pieces since the last call; the next piece begins another text.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgsluice
