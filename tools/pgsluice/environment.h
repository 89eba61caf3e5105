#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pgsluice/error.h"

namespace pgsluice::tools {

/// Returns the complaint of an option's own checks about a value; empty if there is none.
inline std::string complaint_of(CLI::Option& option, std::string text) {
  for (int index = 0;; ++index) {
    try {
      if (std::string complaint = (*option.get_validator(index))(text); !complaint.empty()) return complaint;
    } catch (const CLI::OptionNotFound&) {
      return "";
    }
  }
}

/// Takes a value from its variable: PGSLUICE_… goes before its twin PGCOPYDB_…. Returns what is wrong with one that is
/// not of its kind.
/// With an option, the value has to pass the option's own checks too, and `check`.
template <class Value>
std::optional<Error> from_environment(Value& value, const std::string& name, CLI::Option* option = nullptr,
                                      const CLI::Validator& check = CLI::Validator("")) {
  for (const char* prefix : {"PGSLUICE_", "PGCOPYDB_"}) {
    const char* text = std::getenv((prefix + name).c_str());
    if (text == nullptr || *text == '\0') continue;
    std::string complaint = option == nullptr ? "" : complaint_of(*option, text);
    std::string checked = text;
    if (complaint.empty()) complaint = check(checked);
    if (complaint.empty() && CLI::detail::lexical_cast(text, value)) return std::nullopt;
    return Error(ErrorKind::kUsage, fmt::format("the variable {}{} is set to \"{}\"{}{}", prefix, name, text,
                                                complaint.empty() ? "" : ", and ", complaint))
        .hint("give it a value as its option takes, or unset it");
  }
  return std::nullopt;
}

/// Has something looked at when the command is carried out, not where its help is asked for, nor when others are.
inline void check_when_run(CLI::App& command, std::function<void()> check) {
  // The parser keeps one callback for a command.
  static std::map<const CLI::App*, std::vector<std::function<void()>>> all;
  std::vector<std::function<void()>>& checks = all[&command];
  checks.push_back(std::move(check));
  if (checks.size() > 1) return;
  command.parse_complete_callback([&checks] {
    for (const std::function<void()>& one : checks) one();
  });
}

/// Takes an option's default from its variable, and says so in its help: the command line goes before it. `check` is
/// for the variable alone: of an option that is given more than once only the last value counts, and is checked later.
template <class Value>
CLI::Option* with_environment(CLI::App& command, CLI::Option* option, Value& value, const std::string& name,
                              const CLI::Validator& check = CLI::Validator("")) {
  option->description(fmt::format("{} [{}]", option->get_description(), name));
  const std::optional<Error> error = from_environment(value, name, option, check);
  if (error) {
    check_when_run(command, [error, option] {
      if (option->count() == 0) throw Error(*error);
    });
  }
  return option;
}

}  // namespace pgsluice::tools
