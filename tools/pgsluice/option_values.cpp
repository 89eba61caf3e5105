#include "pgsluice/option_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>

#include <algorithm>
#include <charconv>

namespace pgsluice::tools {

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  return CLI::Validator(
      [least, most](std::string& text) -> std::string {
        std::int64_t number = 0;
        const char* end = text.data() + text.size();
        const auto [behind, error] = std::from_chars(text.data(), end, number);
        if (error == std::errc() && behind == end && number >= least && number <= most) return "";
        if (most < INT32_MAX) return fmt::format("takes a whole number from {} to {}, not {}", least, most, text);
        return least >= 0 ? fmt::format("takes a whole number from {}, not {}", least, text)
                          : fmt::format("takes a whole number, not {}", text);
      },
      "");
}

CLI::Validator one_of(std::vector<std::string> words, bool ignoring_case) {
  // The description is what completion reads the choices from.
  const std::string choices = fmt::format("{{{}}}", fmt::join(words, ","));
  return CLI::Validator(
      [words = std::move(words), ignoring_case](std::string& text) -> std::string {
        const bool known = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
          return ignoring_case ? ::strcasecmp(word.c_str(), text.c_str()) == 0 : word == text;
        });
        if (known) return "";
        return fmt::format("takes {} or {}, not {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back(),
                           text);
      },
      choices);
}

}  // namespace pgsluice::tools
