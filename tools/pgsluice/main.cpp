#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/nearest.h"
#include "pgsluice/error.h"
#include "pgsluice/version.h"
#include "tools/pgsluice/command_line.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/help_formatter.h"
#include "tools/pgsluice/remedies.h"

namespace pgsluice::tools {
namespace {

constexpr const char* kDescription =
    "pgsluice copies whole PostgreSQL databases from one running server to another and checks that nothing was lost.";

constexpr const char* kFooter =
    "Example:\n"
    "  pgsluice clone --source postgresql://user@old/shop --target postgresql://user@new/shop\n"
    "'pgsluice COMMAND --help' tells more of a command.";

// The name that the command is called by: there may be a second one (-DPGSLUICE_PGCOPYDB_ALIAS=ON).
std::string program_name() {
  return std::string_view(program_invocation_short_name) == "pgcopydb" ? "pgcopydb" : "pgsluice";
}

// "pgsluice copy table-data"
std::string path_of(const CLI::App& command) {
  return command.get_parent() == nullptr ? program_name() : path_of(*command.get_parent()) + " " + command.get_name();
}

int usage_error(const CLI::App& command, std::string_view message) {
  std::fputs(
      fmt::format("{}: {}\n'{} --help' lists what there is.\n", program_name(), message, path_of(command)).c_str(),
      stderr);
  return kExitUsage;
}

int no_command(const CLI::App& command) {
  if (command.get_parent() != nullptr) {
    return usage_error(command,
                       fmt::format("no command was given; there are: {}", fmt::join(command_names(command), ", ")));
  }
  std::fputs(command.help().c_str(), stderr);
  std::fputs(fmt::format("\n{}: no command was given\n", program_name()).c_str(), stderr);
  return kExitUsage;
}

std::string meant(const std::string& mistyped, const std::vector<std::string>& names) {
  const std::optional<std::string> name = nearest(mistyped, names);
  return name ? fmt::format("; is {} meant?", *name) : "";
}

// Only options and commands are named: what else stands there may be a connection string with a password.
std::string unexpected_arguments(const CLI::App& app, const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    const bool begins_with_a_dash = argument.starts_with("\u2013") || argument.starts_with("\u2014") ||
                                    argument.starts_with("-\u2013") || argument.starts_with("\u2212");
    if (begins_with_a_dash) {
      return "an option begins with a typographic dash, as text processors make of two hyphens: type -- in its place";
    }
  }
  const CLI::App& command = command_of(app, arguments);
  if (const std::optional<std::string> word = unknown_command(app, arguments)) {
    return fmt::format("unknown command {}{}", *word, meant(*word, command_names(command)));
  }
  std::vector<std::string> options;
  std::size_t stray = 0;
  for (const std::string& argument : app.remaining(true)) {
    if (argument.rfind('-', 0) == 0) {
      options.push_back(argument.substr(0, argument.find('=')));
    } else if (stray == 0) {
      stray = static_cast<std::size_t>(std::find(arguments.begin(), arguments.end(), argument) - arguments.begin()) + 1;
    }
  }
  if (!options.empty()) {
    if (command.get_option_no_throw(options.front()) != nullptr) {
      return fmt::format("{} stands after the command: {} {}", options.front(), path_of(command), options.front());
    }
    return fmt::format("unknown option{}: {}{}", options.size() == 1 ? "" : "s", fmt::join(options, " "),
                       meant(options.front(), option_names(command)));
  }
  if (!command_names(command).empty()) return "unknown command";
  return fmt::format("argument {} belongs to no option", stray);
}

// Returns the parser's complaint about a value, in whole words: "--table-jobs takes a whole number, not x".
std::string in_words(const CLI::ParseError& error) {
  std::string message = error.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return message.substr(0, message.find(':')) + " needs a value";
  }
  if (const std::size_t at = message.find(": takes "); at != std::string::npos) message.erase(at, 1);
  return message;
}

int run(int argc, char** argv) {
  CLI::App app(kDescription, program_name());
  app.formatter(std::make_shared<HelpFormatter>(help_width()));
  app.footer(kFooter);
  app.require_subcommand(1);
  // As getopt_long: what is said last holds.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.set_version_flag("--version", "pgsluice " + std::string(version()));
  int exit_code = kExitSuccess;
  add_clone_command(app, exit_code);
  add_step_commands(app, exit_code);
  add_parse_list_command(app, exit_code);
  add_snapshot_command(app, exit_code);
  add_check_command(app, exit_code);
  add_compare_command(app, exit_code);
  add_archive_commands(app, exit_code);
  add_list_command(app, exit_code);
  add_list_progress_command(app, exit_code);
  add_control_command(app, exit_code);
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
    return usage_error(command_of(app, given), unexpected_arguments(app, given));
  } catch (const CLI::RequiredError& error) {
    const CLI::App& command = command_of(app, given);
    if (app.remaining_size(true) > 0) return usage_error(command, unexpected_arguments(app, given));
    return command_names(command).empty() ? usage_error(command, error.what()) : no_command(command);
  } catch (const CLI::ParseError& error) {
    return usage_error(command_of(app, given), in_words(error));
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fputs("pgsluice: standard output could not be written\n", stderr);
    return exit_code == kExitSuccess ? kExitConfig : exit_code;
  }
  return exit_code;
}

}  // namespace
}  // namespace pgsluice::tools

int main(int argc, char** argv) {
  // libpq would give them to our sessions as the defaults of their server, and to pg_dump.
  for (const char* variable : {"PGTZ", "PGDATESTYLE", "PGGEQO"}) ::unsetenv(variable);
  try {
    return pgsluice::tools::run(argc, argv);
  } catch (const pgsluice::Error& error) {
    std::fputs(fmt::format("pgsluice: {}\n", pgsluice::tools::describe(error)).c_str(), stderr);
    return pgsluice::tools::exit_code_for(error);
  } catch (const std::exception& error) {
    std::fputs(fmt::format("pgsluice: {}\n", error.what()).c_str(), stderr);
    return pgsluice::tools::kExitInternal;
  }
}
