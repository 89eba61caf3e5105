#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace pgsluice {

/// A number of bytes. Units are powers of 1024, as PostgreSQL's and pgcopydb's are.
struct Bytes {
  std::int64_t count = 0;

  auto operator<=>(const Bytes&) const = default;
  Bytes& operator+=(Bytes other) {
    count += other.count;
    return *this;
  }
};

/// For people, with pg_size_pretty's units: "812 bytes", "8192 kB", "1.4 GB".
std::string to_string(Bytes size);

/// Reads "250 GB", "10kB", "1.5 TB" or a bare number of bytes; case and blanks between are ignored, "B", "kB", "MB",
/// "GB", "TB", "PB" are known. Throws Error(kUsage) that shows what was given and what is understood.
Bytes parse_bytes(std::string_view text);

}  // namespace pgsluice
