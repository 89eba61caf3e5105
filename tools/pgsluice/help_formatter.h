#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace pgsluice::tools {

/// Lays out --help within the terminal's width (80 columns where there is none, 100 at most): options with what they
/// exclude and want in their descriptions, texts wrapped, long examples continued with a backslash.
class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::size_t width) : width_(width) {}

  std::string make_group(std::string group, bool is_positional, std::vector<const CLI::Option*> options) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_description(const CLI::App* app) const override;
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_footer(const CLI::App* app) const override;

 private:
  std::string entry(const std::string& name, const std::string& description) const;

  const std::size_t width_;
};

/// The width of the terminal that standard output is, within what can be read well.
std::size_t help_width();

}  // namespace pgsluice::tools
