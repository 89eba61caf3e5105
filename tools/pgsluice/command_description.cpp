#include "tools/pgsluice/command_description.h"

#include <CLI/CLI.hpp>
#include <sstream>

#include "tools/pgsluice/command_line.h"

namespace pgsluice::tools {

namespace {

// CLI11 writes a choice as a part of its type: "TEXT:{auto,text,binary}".
void read_type(const CLI::Option& option, OptionDescription& description) {
  if (option.get_expected_max() == 0) return;
  const std::string type = option.get_type_name();
  description.value = type.substr(0, type.find_first_of(": "));
  const std::size_t begin = type.find('{');
  const std::size_t end = type.find('}');
  if (begin == std::string::npos || end == std::string::npos) return;
  std::istringstream choices(type.substr(begin + 1, end - begin - 1));
  for (std::string choice; std::getline(choices, choice, ',');) description.choices.push_back(choice);
}

OptionDescription describe(const CLI::Option& option) {
  OptionDescription description{.help = option.get_description(), .group = option.get_group()};
  for (const std::string& name : option.get_lnames()) description.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) description.names.push_back("-" + name);
  if (option.get_positional()) description.names = {option.get_single_name()};
  read_type(option, description);
  return description;
}

CommandDescription describe_below(const CLI::App& app, const std::string& above) {
  CommandDescription command{.names = {app.get_name()},
                             .path = above.empty() ? app.get_name() : above + " " + app.get_name(),
                             .help = app.get_description(),
                             .footer = footer_of(app)};
  for (const std::string& alias : app.get_aliases()) command.names.push_back(alias);
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    (option->get_positional() ? command.arguments : command.options).push_back(describe(*option));
  }
  for (const CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!below->get_group().empty()) command.commands.push_back(describe_below(*below, command.path));
  }
  return command;
}

}  // namespace

CommandDescription describe(const CLI::App& app) { return describe_below(app, ""); }

}  // namespace pgsluice::tools
