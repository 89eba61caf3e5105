#include <cstdio>

#include "pgsluice/base/error.h"
#include "pgsluice/commands.h"

namespace pgsluice::tools {

void add_help_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("help", "Print this help, or that of a command");
  auto name = std::make_shared<std::string>();
  command->add_option("command", *name, "The command");
  command->callback([&app, name] {
    const CLI::App* about = &app;
    try {
      if (!name->empty()) about = app.get_subcommand(*name);
    } catch (const CLI::OptionNotFound&) {
      throw Error(ErrorKind::kUsage, "unknown command " + *name).hint("'pgsluice --help' lists what there is");
    }
    std::fputs(about->help(about == &app ? "" : "pgsluice").c_str(), stdout);
  });
}

}  // namespace pgsluice::tools
