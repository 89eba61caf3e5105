#include "tools/pgsluice/option_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <utility>

#include "pgsluice/error.h"
#include "pipeline/settings.h"

namespace pgsluice::tools {
namespace {

/// If an option is given several times, its last value holds, and only that one is checked: CLI11 numbers the
/// values so that the one that holds has the index 0.
CLI::Validator of_the_last(std::function<std::string(std::string&)> check, const std::string& description = "") {
  return CLI::Validator(std::move(check), description).application_index(0);
}

}  // namespace

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  return of_the_last([least, most](std::string& text) { return complaint_about_number(text, least, most); });
}

CLI::Validator one_of(std::vector<std::string> words, LetterCase letter_case) {
  // The description is what completion reads the choices from.
  const std::string choices = fmt::format("{{{}}}", fmt::join(words, ","));
  return of_the_last([words = std::move(words),
                      letter_case](std::string& text) { return complaint_about_word(text, words, letter_case); },
                     choices);
}

CLI::Validator split_size() {
  return of_the_last([](std::string& text) -> std::string {
    try {
      pipeline::parse_split(text);
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
