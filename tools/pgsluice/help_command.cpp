#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "pgsluice/error.h"
#include "tools/pgsluice/commands.h"

namespace pgsluice::tools {

namespace {

constexpr const char* kHelpFooter =
    "Examples:\n"
    "  pgsluice help\n"
    "  pgsluice help copy table-data      the same as: pgsluice copy table-data --help";

const CLI::App& command_named(const CLI::App& app, const std::vector<std::string>& names) {
  const CLI::App* command = &app;
  for (const std::string& name : names) {
    const CLI::App* deeper = nullptr;
    for (const CLI::App* below : command->get_subcommands([](const CLI::App*) { return true; })) {
      if (below->check_name(name)) deeper = below;
    }
    if (deeper == nullptr) {
      throw Error(ErrorKind::kUsage, "unknown command " + name).hint("'pgsluice --help' lists what there is");
    }
    command = deeper;
  }
  return *command;
}

}  // namespace

void add_help_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("help", "Print this help, or that of a command");
  command->footer(kHelpFooter);
  auto names = std::make_shared<std::vector<std::string>>();
  command->add_option("command", *names, "The command")->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->callback([&app, names] {
    std::string above = names->empty() ? "" : "pgsluice";
    for (std::size_t i = 0; i + 1 < names->size(); ++i) above += " " + (*names)[i];
    // Not help() of the command itself: while this one is at work, that would be this one's.
    const CLI::App& about = command_named(app, *names);
    const std::string text = about.get_formatter()->make_help(&about, above, CLI::AppFormatMode::Normal);
    std::fputs(text.c_str(), stdout);
  });
}

}  // namespace pgsluice::tools
