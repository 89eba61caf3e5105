#include "base/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "pgsluice/error.h"
// xxhash defines the size of its state only if this macro is defined.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

namespace pgsluice {

Digest& Digest::operator+=(const Digest& other) {
  low += other.low;
  high += other.high + (low < other.low ? 1 : 0);
  return *this;
}

Digest Digest::parse(std::string_view hex) {
  constexpr std::size_t kHalf = 16;
  constexpr int kBase = 16;
  Digest digest;
  bool read = hex.size() == 2 * kHalf;
  for (auto [half, at] : {std::pair{&digest.high, std::size_t{0}}, std::pair{&digest.low, kHalf}}) {
    const std::string_view digits = hex.substr(std::min(at, hex.size()), kHalf);
    read = read && std::from_chars(digits.data(), digits.data() + digits.size(), *half, kBase).ptr ==
                       digits.data() + digits.size();
  }
  if (!read) throw Error(ErrorKind::kInternal, fmt::format("\"{}\" is not a digest", hex));
  return digest;
}

std::string Digest::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

Digest digest_of(std::string_view text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return {hash.high64, hash.low64};
}

struct Digester::State {
  XXH3_state_t xxh;
};

Digester::Digester() : state_(new State) { XXH3_128bits_reset(&state_->xxh); }
Digester::Digester(Digester&&) noexcept = default;
Digester& Digester::operator=(Digester&&) noexcept = default;
Digester::~Digester() = default;

void Digester::add(std::string_view piece) { XXH3_128bits_update(&state_->xxh, piece.data(), piece.size()); }

Digest Digester::finish() {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh);
  XXH3_128bits_reset(&state_->xxh);
  return {hash.high64, hash.low64};
}

}  // namespace pgsluice
