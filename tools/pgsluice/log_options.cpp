#include "tools/pgsluice/log_options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>

#include "tools/pgsluice/environment.h"

namespace pgsluice::tools {

void add_log_options(CLI::App& command, LogOptions& options) {
  constexpr const char* kGroup = "Log";
  command.add_flag("-q,--quiet", options.quiet, "Only warnings and errors")->group(kGroup);
  command.add_flag("-v,--verbose", options.verbosity, "More: notices; twice: SQL; three times: debug; four: all")
      ->group(kGroup);
  command.add_flag("--notice", options.notice, "Show notices")->group(kGroup);
  command.add_flag("-d,--debug", options.debug, "Show debug messages")->group(kGroup);
  command.add_flag("-z,--trace", options.trace, "Show everything")->group(kGroup);
  // A log that is kept is read on another day.
  options.time_format = ::isatty(STDERR_FILENO) == 1 ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S";
  from_environment(options.time_format, "LOG_TIME_FORMAT");
  from_environment(options.file, "LOG_FILENAME");
  from_environment(options.file_json, "LOG_JSON_FILE");
  if (const auto error = from_environment(options.json, "LOG_JSON"))
    check_when_run(command, [error] { throw Error(*error); });
}

}  // namespace pgsluice::tools
