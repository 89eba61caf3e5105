#pragma once

#include <cstdint>
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

}  // namespace pgsluice

namespace pgsluice::copy {

/// The digest of a set of rows, in whatever order: two sets of the same digest are taken for the same.
struct RowsDigest {
  std::int64_t rows = 0;
  Digest sum;

  bool operator==(const RowsDigest&) const = default;
  RowsDigest& operator+=(const RowsDigest& other);
};

}  // namespace pgsluice::copy
