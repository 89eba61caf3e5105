#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace pgsluice::tools {

// Common parts of the reports.

/// A head and its lines, indented, after an empty line; empty if there are no lines.
std::string list_text(std::string_view head, const std::vector<std::string>& lines);

/// The document as indented text. Names come from the servers in whatever encoding these have: what is not UTF-8 is
/// replaced.
std::string dump(const nlohmann::json& document);

std::int64_t milliseconds(std::chrono::nanoseconds duration);

}  // namespace pgsluice::tools
