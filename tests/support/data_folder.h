#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace pgsluice::test {

/// Where servers have their folders: in memory, where there is enough of it. A new one, or one below `parent`, which
/// goes with the process that made it, or with the next test program.
std::filesystem::path make_server_folder(const std::filesystem::path& parent = {});

/// Makes the data folder of a new server, as initdb does, for the superuser postgres. The first one of a kind is made
/// by initdb; the others are copies of it with system identifiers of their own, which take a tenth of the time.
void make_data_folder(const std::filesystem::path& bindir, const std::filesystem::path& data,
                      const std::vector<std::string>& initdb_arguments);

/// Runs a program and throws what it says if it fails.
void run_or_throw(const std::vector<std::string>& command);

/// Turns a command into one that the system's user postgres runs, where this process is root's: no server takes root.
std::vector<std::string> as_server_user(std::vector<std::string> command);

}  // namespace pgsluice::test
