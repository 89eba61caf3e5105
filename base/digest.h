#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pgsluice {

/// 128 bits that stand for a text: two texts of the same digest are taken for the same. Not against an attacker who
/// looks for such a pair (XXH3).
struct Digest {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  bool operator==(const Digest&) const = default;
  /// Adds up modulo 2^128: what a set of texts comes to does not depend on their order.
  Digest& operator+=(const Digest& other);
  /// "0123…", 32 digits, which PostgreSQL takes as a uuid.
  std::string hex() const;
  /// Reads a digest of 32 digits. Throws Error(kInternal) for another text.
  static Digest parse(std::string_view hex);
};

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
