#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace pgsluice {

/// "1 table", "20 tables"; a plural of its own where it is not made by an s.
template <class Number>
std::string counted(Number count, std::string_view one, std::string_view many = "") {
  if (count == 1) return fmt::format("1 {}", one);
  return many.empty() ? fmt::format("{} {}s", count, one) : fmt::format("{} {}", count, many);
}

}  // namespace pgsluice
