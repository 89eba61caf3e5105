#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace pgsluice::tools {

/// Returns the end of a command's help: its own words, and what the names of variables in it mean.
std::string footer_of(const CLI::App& command);

/// The arguments with each shortened option ("--table-j") written out, as getopt_long(3) would take them.
/// Throws Error(kUsage) for one that may stand for several.
std::vector<std::string> write_out_options(const CLI::App& app, const std::vector<std::string>& arguments);

/// The deepest command that the arguments name.
const CLI::App& command_of(const CLI::App& app, const std::vector<std::string>& arguments);
/// The first word of a line where a command is wanted and none is of that name; nothing where there is none, or where
/// it may be something else that is not to be shown.
std::optional<std::string> unknown_command(const CLI::App& app, const std::vector<std::string>& arguments);

/// "--source", "--target", … of a command.
std::vector<std::string> option_names(const CLI::App& command);
/// "clone", "copy", … of a command that has others.
std::vector<std::string> command_names(const CLI::App& command);

}  // namespace pgsluice::tools
