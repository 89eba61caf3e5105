#pragma once

#include <optional>
#include <string>

#include "pgsluice/log.h"
#include "tools/pgsluice/remedies.h"

namespace CLI {
class App;
}  // namespace CLI

namespace pgsluice::tools {

/// Which messages of a command are shown, where, and how.
struct LogOptions {
  bool quiet = false;
  int verbosity = 0;
  bool notice = false;
  bool debug = false;
  bool trace = false;
  /// As strftime(3) takes it.
  std::string time_format;
  bool json = false;       ///< on standard error
  bool on_output = false;  ///< on standard output instead
  /// Gets the messages too; what it holds stays.
  std::string file;
  bool file_json = false;
  /// Words an error and its remedies for the users of this command.
  std::string (*describe)(const Error& error) = &tools::describe;

  LogLevel level() const;
};

/// Adds the options, and takes what the environment says: PGSLUICE_LOG_TIME_FORMAT, _LOG_JSON, _LOG_FILENAME,
/// _LOG_JSON_FILE, or their twins PGCOPYDB_….
void add_log_options(CLI::App& command, LogOptions& options);

}  // namespace pgsluice::tools
