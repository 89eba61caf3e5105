#include "tools/pgsluice/archive_stream.h"

#include <fmt/format.h>

#include <utility>

#include "base/subprocess.h"
#include "pgsluice/error.h"

namespace pgsluice::tools {

namespace {

// Names of an archive's files have nothing that a shell reads otherwise.
std::string with_name(std::string_view command, std::string_view name) {
  std::string text;
  for (std::size_t at = 0; at < command.size(); ++at) {
    const std::string_view two = command.substr(at, 2);
    if (two == "%f" || two == "%%") {
      text += two == "%f" ? name : "%";
      ++at;
    } else {
      text += command[at];
    }
  }
  return text;
}

}  // namespace

bool is_stream(std::string_view path) { return path == "-"; }

bool is_command(std::string_view to) { return to.find("%f") != std::string_view::npos; }

void run_for_file(std::string_view command, std::string_view name, const std::filesystem::path& file,
                  const CancelToken& cancel) {
  const std::string text = with_name(command, name);
  const SubprocessResult result =
      run_command({.command = {"/bin/sh", "-c", text}, .environment = {}, .input = file}, cancel);
  if (result.exit_code == 0) return;
  constexpr std::size_t kMostWords = 500;
  std::string words = result.errors.substr(0, kMostWords);
  while (!words.empty() && words.back() == '\n') words.pop_back();
  throw Error(ErrorKind::kSystem, fmt::format("the command for {} has failed with {}{}{}", name, result.exit_code,
                                              words.empty() ? "" : ": ", words))
      .hint(text);
}

}  // namespace pgsluice::tools
