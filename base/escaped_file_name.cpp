#include "base/escaped_file_name.h"

#include <fmt/format.h>

#include <charconv>

#include "pgsluice/error.h"

namespace pgsluice {

std::string escape_file_name(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const bool is_plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    name += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return name;
}

std::string unescape_file_name(std::string_view name) {
  std::string text;
  for (std::size_t at = 0; at < name.size(); ++at) {
    if (name[at] != '%') {
      text += name[at];
      continue;
    }
    unsigned int byte = 0;
    const std::string_view digits = name.substr(at + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (error == std::errc() && digits.size() == 2 && end == digits.data() + 2) text += static_cast<char>(byte);
    at += 2;
  }
  if (!text.empty() && escape_file_name(text) == name) return text;
  throw Error(ErrorKind::kConfig, fmt::format("\"{}\" is not the escaped name of a file", name));
}

}  // namespace pgsluice
