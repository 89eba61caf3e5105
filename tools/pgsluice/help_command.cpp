#include <cstdio>

#include "pgsluice/commands.h"

namespace pgsluice::tools {

void add_help_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("help", "Print this help, or that of a command");
  auto name = std::make_shared<std::string>();
  command->add_option("command", *name, "The command");
  command->callback([&app, name] {
    const CLI::App* about = &app;
    if (!name->empty()) about = app.get_subcommand(*name);
    std::fputs(about->help().c_str(), stdout);
  });
}

}  // namespace pgsluice::tools
