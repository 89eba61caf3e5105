#include "tools/pgsluice/help_formatter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "tools/pgsluice/command_line.h"
#include "tools/pgsluice/wrap.h"

namespace pgsluice::tools {

namespace {

constexpr std::size_t kNames = 28;  // columns of an option's names
constexpr std::size_t kNarrow = 80;
constexpr std::size_t kWide = 100;

std::string names_of(const std::set<CLI::Option*>& options) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options) names.push_back(option->get_name());
  return fmt::format("{}", fmt::join(names, ", "));
}

bool is_example(const std::string& line) { return line.starts_with("  "); }

}  // namespace

std::size_t help_width() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return kNarrow;
  return std::clamp<std::size_t>(size.ws_col, kNames + 20, kWide);
}

std::string HelpFormatter::entry(const std::string& name, const std::string& description) const {
  const std::string names = "  " + name;
  if (description.empty()) return names + "\n";
  const bool fits = characters(names) + 2 <= kNames;
  const std::string gap = fits ? std::string(kNames - characters(names), ' ') : "\n" + std::string(kNames, ' ');
  return names + gap + wrap(description, width_, kNames) + "\n";
}

std::string HelpFormatter::make_group(std::string group, bool is_positional,
                                      std::vector<const CLI::Option*> options) const {
  std::string text = wrap(group + ":", width_, 0) + "\n";
  for (const CLI::Option* option : options) text += make_option(option, is_positional);
  return text;
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string name = make_option_name(option, is_positional);
  if (option->get_type_size() != 0) {
    // Behind a colon stands how it is checked, which the description says in words.
    const std::string type = option->get_type_name();
    const std::string kind = type.substr(0, type.find_first_of(":{["));
    if (!kind.empty()) name += " " + kind;
    if (option->get_expected_max() > 1) name += " …";
  }
  std::string description = option->get_description();
  if (option->get_required()) description += " (required)";
  if (!option->get_needs().empty()) description += fmt::format(" (with {})", names_of(option->get_needs()));
  if (!option->get_excludes().empty()) description += fmt::format(" (not with {})", names_of(option->get_excludes()));
  return entry(name, description);
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  std::string names = command->get_name();
  for (const std::string& alias : command->get_aliases()) names += ", " + alias;
  return entry(names, command->get_description());
}

std::string HelpFormatter::make_description(const CLI::App* app) const {
  return wrap(app->get_description(), width_, 0) + "\n\n";
}

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  return CLI::Formatter::make_usage(app, std::move(name)) + "\n";
}

std::string HelpFormatter::make_footer(const CLI::App* app) const {
  std::string text;
  std::string paragraph;
  const auto end_paragraph = [&] {
    if (!paragraph.empty()) text += wrap(paragraph, width_, 0) + "\n";
    paragraph.clear();
  };
  std::istringstream lines(footer_of(*app));
  for (std::string line; std::getline(lines, line);) {
    if (is_example(line)) {
      end_paragraph();
      text += wrap_example(line, width_) + "\n";
    } else if (line.empty()) {
      end_paragraph();
      text += "\n";
    } else {
      paragraph += line + " ";
      // The head of a list of examples is a line by itself.
      if (line.ends_with(':')) end_paragraph();
    }
  }
  end_paragraph();
  return text;
}

}  // namespace pgsluice::tools
