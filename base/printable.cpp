#include "base/printable.h"

#include <fmt/format.h>

#include <cctype>

namespace pgsluice {

namespace {

// Characters of three bytes in UTF-8 that turn the direction of what follows, so that a name reads as another one:
// U+200E and U+200F, U+202A to U+202E, U+2066 to U+2069.
bool turns_direction(std::string_view text) {
  if (text.size() < 3 || text[0] != '\xE2') return false;
  const auto second = static_cast<unsigned char>(text[1]);
  const auto third = static_cast<unsigned char>(text[2]);
  if (second == 0x81) return third >= 0xA6 && third <= 0xA9;
  return second == 0x80 && (third == 0x8E || third == 0x8F || (third >= 0xAA && third <= 0xAE));
}

}  // namespace

std::string printable(std::string_view text, LineEnds line_ends) {
  std::string shown;
  unsigned char before = 0;
  std::size_t turning = 0;  // bytes that are left of such a character
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const auto byte = static_cast<unsigned char>(c);
    if (turns_direction(text.substr(at))) turning = 3;
    if (turning > 0) {
      shown += fmt::format("\\x{:02x}", byte);
      --turning;
      before = byte;
      continue;
    }
    // In UTF-8 the control characters of ISO 8859, of which terminals know some, are two bytes.
    const bool is_c1 = before == 0xC2 && byte >= 0x80 && byte <= 0x9F;
    if (c == '\n' && line_ends == LineEnds::kKept) {
      shown += "\n\t";
    } else if ((std::iscntrl(byte) != 0 && c != '\t') || is_c1) {
      if (is_c1) shown.pop_back();
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += c;
    }
    before = byte;
  }
  return shown;
}

}  // namespace pgsluice
