#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "pgsluice/error.h"
#include "tools/pgsluice/commands.h"

namespace pgsluice::tools {

namespace {

[[noreturn]] void refuse() {
  throw Error(ErrorKind::kUsage, "change data capture is not supported")
      .hint("clone while the applications stand still; pgcopydb has --follow");
}

}  // namespace

void refuse_change_data_capture(CLI::App& command) {
  for (const char* option : {"--follow", "--plugin", "--wal2json-numeric-as-string", "--slot-name", "--create-slot",
                             "--origin", "--endpos"}) {
    command.add_option_function<std::vector<std::string>>(option, [](const auto&) { refuse(); })
        ->expected(0, 1)
        ->group("");
  }
}

void note_change_data_capture(const Log& log) {
  for (const char* variable : {"PGCOPYDB_OUTPUT_PLUGIN", "PGCOPYDB_WAL2JSON_NUMERIC_AS_STRING"}) {
    if (std::getenv(variable) != nullptr) {
      log.notice(fmt::format("{} is set, and has no meaning here: there is no change data capture", variable));
    }
  }
}

void add_change_data_capture_commands(CLI::App& app) {
  for (const char* name : {"follow", "stream"}) {
    CLI::App* command = app.add_subcommand(name, "Change data capture: not supported")->allow_extras();
    command->group("")->callback(refuse);
  }
}

}  // namespace pgsluice::tools
