#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "pgsluice/base/error.h"
#include "pgsluice/base/nearest.h"
#include "pgsluice/command_line.h"
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

std::string meant(const std::string& mistyped, const std::vector<std::string>& names) {
  const std::optional<std::string> name = nearest(mistyped, names);
  return name ? fmt::format("; is {} meant?", *name) : "";
}

// Only options and commands are named: what else stands there may be a connection string with a password.
std::string unexpected_arguments(const CLI::App& app, const std::vector<std::string>& arguments) {
  const CLI::App& command = command_of(app, arguments);
  if (const std::optional<std::string> word = unknown_command(app, arguments)) {
    return fmt::format("unknown command {}{}", *word, meant(*word, command_names(command)));
  }
  std::string options;
  std::string first;
  for (const std::string& argument : app.remaining(true)) {
    if (argument.rfind('-', 0) != 0) continue;
    const std::string name = argument.substr(0, argument.find('='));
    options += (options.empty() ? "" : " ") + name;
    if (first.empty()) first = name;
  }
  if (!options.empty()) {
    return fmt::format("unknown options: {}{} (docs/pgcopydb.md lists what is there and what is not yet)", options,
                       meant(first, option_names(command)));
  }
  const std::vector<std::string> commands = command_names(command);
  return commands.empty() ? "an argument that belongs to no option" : "unknown command";
}

int run(int argc, char** argv) {
  CLI::App app(kDescription, "pgsluice");
  app.footer(kFooter);
  app.require_subcommand(1);
  // As getopt_long: what is said last holds.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.set_version_flag("--version", std::string("pgsluice ") + PGSLUICE_VERSION);
  int exit_code = kExitWell;
  add_clone_command(app, exit_code);
  add_step_commands(app, exit_code);
  add_parse_list_command(app, exit_code);
  add_snapshot_command(app, exit_code);
  add_check_command(app, exit_code);
  add_compare_command(app, exit_code);
  add_list_command(app, exit_code);
  add_list_progress_command(app, exit_code);
  add_ping_command(app, exit_code);
  add_migration_commands(app, exit_code);
  add_worker_command(app, exit_code);
  add_serve_command(app, exit_code);
  add_completion_command(app);
  add_version_command(app, exit_code);
  add_help_command(app);
  add_change_data_capture_commands(app);
  const std::vector<std::string> given(argv + 1, argv + argc);
  try {
    std::vector<std::string> arguments = write_out_options(app, given);
    std::reverse(arguments.begin(), arguments.end());  // as the parser takes them
    app.parse(std::move(arguments));
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ExtrasError&) {
    return usage_error(unexpected_arguments(app, given));
  } catch (const CLI::RequiredError& error) {
    if (app.remaining_size(true) > 0) return usage_error(unexpected_arguments(app, given));
    const std::vector<std::string> names = command_names(command_of(app, given));
    if (names.empty()) return usage_error(error.what());
    return usage_error(fmt::format("no command was given; there are: {}", fmt::join(names, ", ")));
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fputs("pgsluice: standard output could not be written\n", stderr);
    return exit_code == kExitWell ? kExitConfig : exit_code;
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
