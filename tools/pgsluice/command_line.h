#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgsluice::tools {

/// The arguments with each shortened option ("--table-j") written out, as getopt_long(3) would take them.
/// Throws Error(kUsage) for one that may stand for several.
std::vector<std::string> write_out_options(const CLI::App& app, const std::vector<std::string>& arguments);

/// Which of the names a mistyped one was probably meant to be.
std::optional<std::string> nearest(std::string_view mistyped, const std::vector<std::string>& names);

/// The deepest command that the arguments name.
const CLI::App& command_of(const CLI::App& app, const std::vector<std::string>& arguments);
/// "--source", "--target", … of a command.
std::vector<std::string> option_names(const CLI::App& command);
/// "clone", "copy", … of a command that has others.
std::vector<std::string> command_names(const CLI::App& command);

}  // namespace pgsluice::tools
