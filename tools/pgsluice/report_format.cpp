#include "tools/pgsluice/report_format.h"

#include <fmt/format.h>

#include "base/printable.h"

namespace pgsluice::tools {

std::string list_text(std::string_view head, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string text = fmt::format("\n{}\n", head);
  for (const std::string& line : lines) text += fmt::format("  {}\n", printable(line, LineEnds::kKept));
  return text;
}

std::string dump(const nlohmann::json& document) {
  return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::int64_t milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::round<std::chrono::milliseconds>(duration).count();
}

}  // namespace pgsluice::tools
