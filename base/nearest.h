#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgsluice {

/// Which of the names a mistyped one was probably meant to be.
std::optional<std::string> nearest(std::string_view mistyped, const std::vector<std::string>& names);

}  // namespace pgsluice
