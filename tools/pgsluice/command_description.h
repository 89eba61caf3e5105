#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace pgsluice::tools {

/// The description of a command line, apart from the parser: for man pages and for the completion of shells. Hidden
/// commands and options are left out.
struct OptionDescription {
  std::vector<std::string> names;    ///< "--dir", "-D": long ones first
  std::string value;                 ///< "TEXT"; empty for one that takes none
  std::vector<std::string> choices;  ///< where only these may be given
  std::string help;
  std::string group;
};

struct CommandDescription {
  std::vector<std::string> names;  ///< "clone", "fork"
  std::string path;                ///< "pgsluice copy data"
  std::string help;
  std::string footer;
  std::vector<OptionDescription> options;
  std::vector<OptionDescription> arguments;  ///< without a name on the line: their names are those of the help
  std::vector<CommandDescription> commands;
};

CommandDescription describe(const CLI::App& app);

/// A script that completes pgsluice's command line in "bash", "zsh" or "fish". Throws Error(kUsage) for another shell.
std::string completion_script(const CommandDescription& program, const std::string& shell);

/// A page in man(7)'s language for one command. `version` as "pgsluice 1.0".
std::string man_page(const CommandDescription& command, const std::string& version);

}  // namespace pgsluice::tools
