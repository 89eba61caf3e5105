#include "tools/pgsluice/wrap.h"

#include <algorithm>
#include <sstream>
#include <string_view>

namespace pgsluice::tools {

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }));
}

std::string wrap(const std::string& text, std::size_t width, std::size_t indent) {
  std::string result;
  std::size_t column = 0;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const std::size_t length = characters(word);
    if (column > 0 && column + 1 + length + indent > width) {
      result += '\n' + std::string(indent, ' ');
      column = 0;
    }
    if (column > 0) {
      result += ' ';
      ++column;
    }
    result += word;
    column += length;
  }
  return result;
}

std::string wrap_example(const std::string& line, std::size_t width) {
  constexpr std::string_view kContinued = " \\\n      ";
  if (characters(line) <= width) return line;
  const std::size_t at = line.rfind(" --", width - 2);
  if (at == std::string::npos || at < 4) return line;
  return line.substr(0, at) + std::string(kContinued) + wrap_example(line.substr(at + 1), width - 6);
}

}  // namespace pgsluice::tools
