#include "base/complaints.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace pgsluice {

std::string complaint_about_number(std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [tail, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && tail == end && number >= min && number <= max) return "";
  if (max < INT32_MAX) return fmt::format("takes a whole number from {} to {}, not {}", min, max, text);
  return min >= 0 ? fmt::format("takes a whole number from {}, not {}", min, text)
                  : fmt::format("takes a whole number, not {}", text);
}

std::string complaint_about_word(std::string_view text, const std::vector<std::string>& words, LetterCase letter_case) {
  const bool known = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return letter_case == LetterCase::kIgnored
               ? word.size() == text.size() && ::strncasecmp(word.data(), text.data(), text.size()) == 0
               : word == text;
  });
  if (known) return "";
  return fmt::format("takes {} or {}, not {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back(), text);
}

}  // namespace pgsluice
