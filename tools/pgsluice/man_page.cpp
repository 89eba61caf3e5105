#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "tools/pgsluice/command_description.h"

namespace pgsluice::tools {

namespace {

// As man(7) wants it: no line begins with a point or a quote, hyphens that are minus signs, backslashes.
std::string escaped(const std::string& text) {
  std::string result;
  bool begins_line = true;
  for (const char c : text) {
    if (begins_line && (c == '.' || c == '\'')) result += "\\&";
    begins_line = c == '\n';
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
  }
  return result;
}

std::string hyphenated(std::string path) {
  std::replace(path.begin(), path.end(), ' ', '-');
  return path;
}

std::string option_lines(const OptionDescription& option) {
  std::string line = ".TP\n";
  for (std::size_t i = 0; i < option.names.size(); ++i) {
    line += fmt::format("{}\\fB{}\\fR", i == 0 ? "" : ", ", escaped(option.names[i]));
  }
  if (!option.choices.empty()) {
    line += fmt::format(" {}", escaped(fmt::format("{}", fmt::join(option.choices, "|"))));
  } else if (!option.value.empty()) {
    line += fmt::format(" \\fI{}\\fR", escaped(option.value));
  }
  return line + "\n" + escaped(option.help) + "\n";
}

std::string option_sections(const CommandDescription& command) {
  std::vector<std::string> groups;
  for (const OptionDescription& option : command.options) {
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end()) groups.push_back(option.group);
  }
  std::string text;
  if (!command.options.empty() || !command.arguments.empty()) text += ".SH OPTIONS\n";
  for (const OptionDescription& argument : command.arguments) text += option_lines(argument);
  for (const std::string& group : groups) {
    if (group != "Options") text += fmt::format(".SS {}\n", escaped(group));
    for (const OptionDescription& option : command.options) {
      if (option.group == group) text += option_lines(option);
    }
  }
  return text;
}

// The blocks of the help's end, apart at empty lines; what is set in columns stays so.
std::string footer_sections(const CommandDescription& command) {
  if (command.footer.empty()) return "";
  return ".SH NOTES\n.nf\n" + escaped(command.footer) + "\n.fi\n";
}

}  // namespace

std::string man_page(const CommandDescription& command, const std::string& version) {
  const std::string name = hyphenated(command.path);
  std::string text = fmt::format(".TH {} 1 \"\" \"{}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B {}\n",
                                 escaped(name), version, escaped(name), escaped(command.help), escaped(command.path));
  text += command.commands.empty() ? "[\\fIOPTIONS\\fR]" : "\\fICOMMAND\\fR [\\fIOPTIONS\\fR]";
  for (const OptionDescription& argument : command.arguments) {
    text += fmt::format(" [\\fI{}\\fR]", escaped(argument.names.front()));
  }
  text += "\n";
  if (!command.commands.empty()) text += ".SH COMMANDS\n";
  for (const CommandDescription& below : command.commands) {
    text += fmt::format(".TP\n\\fB{}\\fR(1)\n{}\n", escaped(hyphenated(below.path)), escaped(below.help));
  }
  text += option_sections(command) + footer_sections(command);
  const std::size_t last = command.path.rfind(' ');
  if (last != std::string::npos) {
    text += fmt::format(".SH SEE ALSO\n.BR {} (1)\n", escaped(hyphenated(command.path.substr(0, last))));
  }
  return text;
}

}  // namespace pgsluice::tools
