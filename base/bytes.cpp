#include "pgsluice/bytes.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "pgsluice/error.h"

namespace pgsluice {

namespace {
constexpr std::array<std::string_view, 6> kUnits = {"bytes", "kB", "MB", "GB", "TB", "PB"};

std::string lower(std::string_view text) {
  std::string result;
  for (char c : text) result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}
}  // namespace

std::string to_string(Bytes size) {
  double value = static_cast<double>(size.count);
  std::size_t unit = 0;
  while (std::abs(value) >= 1024.0 && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  if (unit == 0) return fmt::format("{} bytes", size.count);
  return fmt::format("{:.{}f} {}", value, value < 10 ? 1 : 0, kUnits[unit]);
}

Bytes parse_bytes(std::string_view text) {
  const std::string_view whole = trim(text);
  const Error bad = Error(ErrorKind::kUsage, fmt::format("\"{}\" is not a size", text))
                        .hint("give a number with a unit, such as 512 MB, 10 GB or 1.5 TB");
  double value = 0;
  const auto [end, status] = std::from_chars(whole.data(), whole.data() + whole.size(), value);
  if (status != std::errc() || !std::isfinite(value) || value < 0) throw bad;
  std::string unit = lower(trim(std::string_view(end, static_cast<std::size_t>(whole.data() + whole.size() - end))));
  if (unit.empty() || unit == "b") unit = "bytes";
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (unit != lower(kUnits[i])) continue;
    const double bytes = value * std::pow(1024.0, static_cast<double>(i));
    if (bytes >= 9.2e18) throw bad;
    return Bytes{static_cast<std::int64_t>(bytes)};
  }
  throw bad;
}

}  // namespace pgsluice
