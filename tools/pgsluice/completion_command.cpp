// `completion`: what a shell needs to complete a command line of pgsluice. Man pages come from the same description.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "pgsluice/error.h"
#include "pgsluice/version.h"
#include "tools/pgsluice/command_description.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/option_values.h"

namespace pgsluice::tools {

namespace {

constexpr const char* kCompletionFooter =
    "Examples:\n"
    "  source <(pgsluice completion bash)     for this shell\n"
    "  pgsluice completion bash > ~/.local/share/bash-completion/completions/pgsluice\n"
    "  pgsluice completion zsh > ~/.zfunc/_pgsluice     a folder of $fpath\n"
    "  pgsluice completion fish > ~/.config/fish/completions/pgsluice.fish\n"
    "\n"
    "The Debian package brings all three.";

void write_man_pages(const CommandDescription& command, const std::filesystem::path& folder) {
  std::string name = command.path;
  std::replace(name.begin(), name.end(), ' ', '-');
  const std::filesystem::path file = folder / (name + ".1");
  std::ofstream out(file);
  out << man_page(command, "pgsluice " + std::string(version()));
  out.close();
  if (!out) throw system_error(fmt::format("cannot write {}", file.string()), errno);
  for (const CommandDescription& below : command.commands) write_man_pages(below, folder);
}

}  // namespace

void add_completion_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("completion", "Print what a shell needs to complete pgsluice's command line");
  command->footer(kCompletionFooter);
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")->required()->check(one_of({"bash", "zsh", "fish"}));
  command->callback([&app, shell] { std::fputs(completion_script(describe(app), *shell).c_str(), stdout); });
  // For the build.
  CLI::App* pages = app.add_subcommand("man-pages", "Write a man page for each command into a folder")->group("");
  auto folder = std::make_shared<std::string>();
  pages->add_option("folder", *folder, "The folder, which is there")->required();
  pages->callback([&app, folder] { write_man_pages(describe(app), *folder); });
}

}  // namespace pgsluice::tools
