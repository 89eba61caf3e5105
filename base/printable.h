#pragma once

#include <string>
#include <string_view>

namespace pgsluice {

enum class LineEnds {
  kKept,     ///< each with a tab after it: the text stays one entry
  kEscaped,  ///< the text stays on its line
};

/// Returns the text without control characters, which names and messages of servers may hold and terminals obey, and
/// without those that turn the direction of writing: they become "\\x1b". Tabs stay.
std::string printable(std::string_view text, LineEnds line_ends);

}  // namespace pgsluice
