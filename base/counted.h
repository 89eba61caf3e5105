#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace pgsluice {

/// "1 table", "20 tables"; a plural of its own where it is not made by an s.
template <class Number>
std::string counted(Number count, std::string_view one, std::string_view many = "") {
  if (count == 1) return fmt::format("1 {}", one);
  return many.empty() ? fmt::format("{} {}s", count, one) : fmt::format("{} {}", count, many);
}

/// "a, b, c and 12 more": the first of some names.
inline std::string some_of(const std::vector<std::string>& names, std::size_t most = 5,
                           std::string_view separator = ", ") {
  const std::size_t shown = std::min(names.size(), most);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), separator));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

}  // namespace pgsluice
