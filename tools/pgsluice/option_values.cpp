#include "tools/pgsluice/option_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "base/error.h"

namespace pgsluice::tools {
namespace {

/// Of an option that is given several times the last value holds, and only that one is checked: CLI11 numbers the
/// values so that the one that holds has the index 0.
CLI::Validator of_the_last(std::function<std::string(std::string&)> check, const std::string& description = "") {
  return CLI::Validator(std::move(check), description).application_index(0);
}

}  // namespace

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  return of_the_last([least, most](std::string& text) -> std::string {
    std::int64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [tail, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc() && tail == end && number >= least && number <= most) return "";
    if (most < INT32_MAX) return fmt::format("takes a whole number from {} to {}, not {}", least, most, text);
    return least >= 0 ? fmt::format("takes a whole number from {}, not {}", least, text)
                      : fmt::format("takes a whole number, not {}", text);
  });
}

CLI::Validator one_of(std::vector<std::string> words, bool ignoring_case) {
  // The description is what completion reads the choices from.
  const std::string choices = fmt::format("{{{}}}", fmt::join(words, ","));
  return of_the_last(
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

copy::SplitOptions parse_split(const std::string& larger_than, int max_parts, bool by_ctid) {
  using When = copy::SplitOptions::When;
  copy::SplitOptions split{.max_parts = max_parts, .by_ctid = by_ctid};
  if (larger_than == "auto") return split;
  split.size = parse_bytes(larger_than);
  split.when = split.size.count == 0 ? When::kNever : When::kLarger;
  return split;
}

CLI::Validator split_size() {
  return of_the_last([](std::string& text) -> std::string {
    try {
      parse_split(text);
      return "";
    } catch (const Error& error) {
      return error.describe();
    }
  });
}

void take_without_effect(CLI::App& command, const std::vector<std::string>& flags,
                         const std::vector<std::string>& options) {
  for (const std::string& flag : flags) {
    if (command.get_option_no_throw(flag) == nullptr) command.add_flag_callback(flag, [] {})->group("");
  }
  for (const std::string& option : options) {
    if (command.get_option_no_throw(option) != nullptr) continue;
    command.add_option_function<std::string>(option, [](const std::string&) {})->group("");
  }
}

}  // namespace pgsluice::tools
