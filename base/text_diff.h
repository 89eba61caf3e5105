#pragma once

#include <optional>
#include <string>

namespace pgsluice {

/// Returns the lines that only one of two texts has, by the longest sequence of lines that both have: "- a line of the
/// first", "+ a line of the second". nullopt if the texts are so long that comparing them would take more than a few
/// million steps.
std::optional<std::string> differing_lines(const std::string& first, const std::string& second);

}  // namespace pgsluice
