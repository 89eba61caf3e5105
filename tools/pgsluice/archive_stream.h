#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "pgsluice/cancel.h"

namespace pgsluice::tools {

/// True for "-", which stands for standard output or input.
bool is_stream(std::string_view path);

/// True for a command that gets each file of an archive: it has "%f" in it.
bool is_command(std::string_view to);

/// Runs the shell's command with a file as its standard input; "%f" in it stands for the file's name, and "%%" for "%".
/// Throws Error(kSystem) with what it has said if it fails, Error(kCancelled).
void run_for_file(std::string_view command, std::string_view name, const std::filesystem::path& file,
                  const CancelToken& cancel);

}  // namespace pgsluice::tools
