// `worker`: one migration in the foreground, as a container runs it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>
#include <optional>

#include "pgsluice/error.h"
#include "pgsluice/migration/control.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/migration_arguments.h"
#include "tools/pgsluice/migration_run.h"
#include "tools/pgsluice/running.h"

namespace pgsluice::tools {

namespace {

using migration::Migration;
using migration::State;

constexpr const char* kWorkerFooter =
    "Examples:\n"
    "  pgsluice worker --name first --properties /config/body.json --store /state --listen 0.0.0.0:8080\n"
    "  pgsluice worker --name first --properties /config/body.json --store /state --resume\n"
    "\n"
    "Log lines go to standard output, as JSON. With --listen, /healthz, /metrics and /status answer while it runs.\n"
    "SIGTERM ends it so that --resume goes on where it was; with --resume, a migration that is not there is created.\n"
    "\n"
    "Exit codes: 0 Succeeded, 1 arguments, 2 properties file, 3 state, 6 source, 7 target, 20 a validation has "
    "failed,\n"
    "21 source and target differ, 22 objects are missing, 130 cancelled, 143 ended by SIGTERM.";

// A worker may come up late: by then its migration was given up, and its name may be that of another one.
void require_its_migration(const std::string& name, const std::optional<Migration>& there) {
  const char* id = std::getenv("PGSLUICE_MIGRATION_ID");
  if (id == nullptr || *id == '\0' || (there && there->id == id)) return;
  throw Error(ErrorKind::kState,
              fmt::format("the migration {} ({}) that this worker was started for is not there any more", name, id))
      .hint("a worker of your own is started without PGSLUICE_MIGRATION_ID in its environment");
}

// The migration that waits for its worker, one that has failed and is resumed, or a new one.
Migration find_or_create(migration::Store& store, const MigrationArguments& args, const migration::Request& request) {
  const std::string name = args.own_name().empty() ? migration::make_uuid() : args.own_name();
  const std::string target = args.target_name().empty() ? request.target.host_and_port() : args.target_name();
  if (store.name_available(name, target)) {
    require_its_migration(name, std::nullopt);
    return migration::create(store, name, args.target_name(), args.labels(), request);
  }
  const Migration there = store.find(name, target);
  require_its_migration(name, there);
  if (there.active()) {
    migration::require_same(there, request, migration::Sameness::kWhole);
    return there;  // where it has its worker, taking it up fails
  }
  // A container is started again also when its migration has ended: nothing is left to do then.
  const bool is_over = there.state == State::kSucceeded || there.state == State::kCanceled;
  if (args.resume && is_over) {
    migration::require_same(there, request, migration::Sameness::kWhole);
    const bool is_only_validated = there.option == migration::MigrationOption::kValidate && !request.option_is_given;
    if (is_only_validated && there.state == State::kSucceeded) {
      throw Error(ErrorKind::kState, fmt::format("the migration {} was only validated: nothing was copied", name))
          .hint("another name begins one that migrates; --migration-option Validate says that this one is over");
    }
    return there;
  }
  if (args.resume) return migration::resume_migration(store, there, request);
  throw Error(ErrorKind::kState, fmt::format("the migration {} has come to its end: {}", name, to_string(there.state)))
      .hint("--resume takes up one that has failed; another name begins another one");
}

struct WorkerArguments : MigrationArguments {
  HttpArguments http;
};

int run(WorkerArguments& args) {
  return run_reporting(args.log, [&](Console& console) -> int {
    const migration::Request request = parse_request(args, migration::read_properties_text(args.properties));
    const MigrationRunOptions options{.output = args.output.empty() ? OutputFormat::kNone : output_format(args.output),
                                      .progress = progress_style(args.progress, args.log)};
    // A reason that keeps a worker from being watched is found before a migration is begun.
    std::optional<migration::HttpServer> server;
    if (const migration::HttpOptions http = http_options(args.http); !http.listen.empty()) {
      server.emplace(http, Log(console));
      server->bind();
    }
    migration::Store store = open_store(args);
    const Migration migration = find_or_create(store, args, request);
    if (!migration.active()) {
      Log(console).info(fmt::format("migration {}: {} already", migration.name, to_string(migration.state)));
      return migration.state == State::kSucceeded ? kExitSuccess : kExitInterrupted;
    }
    return run_migration(store, migration, request, options, console, server ? &*server : nullptr);
  });
}

}  // namespace

void add_worker_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("worker", "One migration in the foreground, for a container");
  command->footer(kWorkerFooter);
  auto args = std::make_shared<WorkerArguments>();
  args->log.json = true;
  args->log.on_output = true;
  add_name_options(*command, *args);
  add_request_options(*command, *args);
  add_http_options(*command, args->http, "host:port at which /healthz, /metrics and /status answer");
  add_migration_options(*command, *args);
  command->callback([args, &exit_code] { exit_code = run(*args); });
}

}  // namespace pgsluice::tools
