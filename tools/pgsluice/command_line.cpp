#include "tools/pgsluice/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "pgsluice/error.h"

namespace pgsluice::tools {

namespace {

std::vector<const CLI::App*> commands_below(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App*) { return true; });
}

const CLI::App* find_command(const CLI::App& above, const std::string& name) {
  for (const CLI::App* command : commands_below(above)) {
    if (command->check_name(name)) return command;
  }
  return nullptr;
}

// Walks the arguments as the parser will: commands lead deeper, and the value of an option is neither.
template <class OnOption>
const CLI::App& walk(const CLI::App& app, const std::vector<std::string>& arguments, const OnOption& on_option) {
  const CLI::App* command = &app;
  bool is_value = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") break;
    if (is_value) {
      is_value = false;
    } else if (argument.rfind('-', 0) == 0) {
      const CLI::Option* option = on_option(*command, i);
      is_value = option != nullptr && option->get_expected_max() > 0 && argument.find('=') == std::string::npos;
    } else if (const CLI::App* deeper = find_command(*command, argument)) {
      command = deeper;
    }
  }
  return *command;
}

// Returns the options that begin so; one that is spelled in several ways counts once.
std::set<const CLI::Option*> options_that_begin(const CLI::App& command, const std::string& with,
                                                std::set<std::string>& spellings) {
  std::set<const CLI::Option*> found;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      if (("--" + name).rfind(with, 0) != 0) continue;
      found.insert(option);
      spellings.insert("--" + name);
    }
  }
  return found;
}

}  // namespace

std::vector<std::string> write_out_options(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> written = arguments;
  walk(app, arguments, [&](const CLI::App& command, std::size_t i) -> const CLI::Option* {
    const std::string name = arguments[i].substr(0, arguments[i].find('='));
    if (const CLI::Option* exact = command.get_option_no_throw(name)) return exact;
    if (name.rfind("--", 0) != 0) return nullptr;
    std::set<std::string> spellings;
    const std::set<const CLI::Option*> found = options_that_begin(command, name, spellings);
    if (found.empty()) return nullptr;
    if (found.size() > 1) {
      throw Error(ErrorKind::kUsage, fmt::format("{} may stand for {}", name, fmt::join(spellings, ", ")))
          .hint("write the option out");
    }
    written[i] = *spellings.begin() + arguments[i].substr(name.size());
    return *found.begin();
  });
  return written;
}

const CLI::App& command_of(const CLI::App& app, const std::vector<std::string>& arguments) {
  return walk(app, arguments, [&](const CLI::App& command, std::size_t i) -> const CLI::Option* {
    return command.get_option_no_throw(arguments[i].substr(0, arguments[i].find('=')));
  });
}

std::optional<std::string> unknown_command(const CLI::App& app, const std::vector<std::string>& arguments) {
  const CLI::App* command = &app;
  for (const std::string& argument : arguments) {
    if (argument.rfind('-', 0) == 0) return std::nullopt;
    const CLI::App* deeper = find_command(*command, argument);
    if (deeper == nullptr) {
      const bool is_word = argument.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos;
      return is_word && !commands_below(*command).empty() ? std::optional(argument) : std::nullopt;
    }
    command = deeper;
  }
  return std::nullopt;
}

std::string footer_of(const CLI::App& command) {
  std::string footer = command.get_footer();
  const auto has_variable = [](const CLI::Option* option) { return option->get_description().ends_with("]"); };
  const std::vector<const CLI::Option*> options = command.get_options();
  if (std::none_of(options.begin(), options.end(), has_variable)) return footer;
  return footer +
         "\n\nA name in brackets is that of a variable, PGSLUICE_…, that gives the option's default; where it is not "
         "set, "
         "PGCOPYDB_… does. Logs: PGSLUICE_LOG_TIME_FORMAT, _LOG_JSON, _LOG_FILENAME, _LOG_JSON_FILE.";
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* below : commands_below(command)) {
    if (below->get_group().empty()) continue;
    names.push_back(below->get_name());
    for (const std::string& alias : below->get_aliases()) names.push_back(alias);
  }
  return names;
}

}  // namespace pgsluice::tools
