#include "base/printable.h"

#include <fmt/format.h>

#include <cctype>

namespace pgsluice {

std::string printable(std::string_view text, LineEnds line_ends) {
  std::string shown;
  unsigned char before = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
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
