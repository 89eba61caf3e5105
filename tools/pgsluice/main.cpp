#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "pgsluice/base/error.h"
#include "pgsluice/commands.h"
#include "pgsluice/exit_code.h"

namespace pgsluice::tools {
namespace {

constexpr const char* kDescription =
    "pgsluice copies whole PostgreSQL databases from one running server to another and checks that nothing was lost.";

constexpr const char* kFooter =
    "Example:\n"
    "  pgsluice clone --source postgresql://user@old/shop --target postgresql://user@new/shop\n"
    "'pgsluice COMMAND --help' tells more of a command.";

int usage_error(std::string_view message) {
  std::fputs(fmt::format("pgsluice: {}\n'pgsluice --help' and 'pgsluice COMMAND --help' list what there is.\n", message)
                 .c_str(),
             stderr);
  return kExitUsage;
}

// Only options are named: what else stands there may be a connection string with a password.
std::string unexpected_arguments(const CLI::App& app) {
  std::string options;
  std::size_t others = 0;
  for (const std::string& argument : app.remaining(true)) {
    if (argument.rfind('-', 0) == 0) {
      options += " " + argument.substr(0, argument.find('='));
    } else {
      ++others;
    }
  }
  std::string message = options.empty() ? "" : "unknown options:" + options;
  if (others > 0 && options.empty()) {
    message = app.get_subcommands().empty() ? "unknown command" : "an argument that belongs to no option";
  }
  if (!options.empty()) message += " (docs/pgcopydb.md lists what is there and what is not yet)";
  return message;
}

int run(int argc, char** argv) {
  CLI::App app(kDescription, "pgsluice");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("pgsluice ") + PGSLUICE_VERSION);
  int exit_code = kExitWell;
  add_clone_command(app, exit_code);
  add_compare_command(app, exit_code);
  add_version_command(app, exit_code);
  add_help_command(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ExtrasError&) {
    return usage_error(unexpected_arguments(app));
  } catch (const CLI::RequiredError&) {
    return usage_error(app.remaining_size(true) > 0 ? "unknown command" : "no command was given");
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
  return exit_code;
}

}  // namespace
}  // namespace pgsluice::tools

int main(int argc, char** argv) {
  try {
    return pgsluice::tools::run(argc, argv);
  } catch (const pgsluice::Error& error) {
    std::fputs(fmt::format("pgsluice: {}\n", error.describe()).c_str(), stderr);
    return pgsluice::tools::exit_code_for(error);
  } catch (const std::exception& error) {
    std::fputs(fmt::format("pgsluice: {}\n", error.what()).c_str(), stderr);
    return pgsluice::tools::kExitInternal;
  }
}
