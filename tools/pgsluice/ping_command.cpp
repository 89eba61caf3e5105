#include <CLI/CLI.hpp>
#include <memory>

#include "pgsluice/error.h"
#include "pgsluice/ping.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/environment.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/option_values.h"
#include "tools/pgsluice/running.h"

namespace pgsluice::tools {

namespace {

struct PingArguments {
  pipeline::PingOptions options;
  int retry_for = 60;
  LogOptions log;
};

constexpr const char* kPingFooter =
    "Example:\n"
    "  pgsluice ping --source postgresql://me@old/shop --target postgresql://me@new/shop\n"
    "\n"
    "Both are tried at once, and again while they start or are full.\n"
    "\n"
    "Exit codes: 0 both answer, 1 arguments, 2 configuration, 6 source, 7 target, 130/143 cancelled.";

int run_ping(PingArguments& args) {
  return run_cancellable(args.log, [&](Console& console, const CancelToken& cancel) -> int {
    const Log log(console);
    args.options.limit = std::chrono::seconds(args.retry_for);
    const pipeline::PingResult result = pipeline::ping(args.options, log, cancel);
    int exit_code = kExitSuccess;
    for (const std::optional<Error>& error : {result.target, result.source}) {
      if (!error) continue;
      log.error(*error);
      exit_code = exit_code_for(*error);
    }
    return exit_code;
  });
}

}  // namespace

void add_ping_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("ping", "Whether both servers answer, tried for up to a minute");
  command->footer(kPingFooter);
  auto args = std::make_shared<PingArguments>();
  with_environment(*command,
                   command->add_option("-S,--source", args->options.source, "Source database, URI or keywords"),
                   args->options.source, "SOURCE_PGURI");
  with_environment(*command,
                   command->add_option("-T,--target", args->options.target, "Target database, URI or keywords"),
                   args->options.target, "TARGET_PGURI");
  command->add_option("--retry-for", args->retry_for, "Seconds to try again (60)")->check(whole_number(0));
  add_log_options(*command, args->log);
  command->callback([args, &exit_code] { exit_code = run_ping(*args); });
}

}  // namespace pgsluice::tools
