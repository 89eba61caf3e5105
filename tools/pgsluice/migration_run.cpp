#include "tools/pgsluice/migration_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/subprocess.h"
#include "migration/http/rest_api.h"
#include "pgsluice/migration/runner.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/signals.h"

namespace pgsluice::tools {

namespace {

using migration::Migration;
using migration::State;

int exit_code_of(const Migration& ended, const migration::Runner& runner) {
  switch (ended.state) {
    case State::kSucceeded:
      return kExitSuccess;
    case State::kValidationFailed:
      return kExitInvalid;
    case State::kCanceled:
      return kExitInterrupted;
    default:
      break;
  }
  if (runner.stopped()) return SignalsCancel::exit_code();
  const std::optional<Error> failure = runner.failure();
  if (!failure) return kExitIncomplete;
  return failure->kind() == ErrorKind::kMismatch ? static_cast<int>(kExitDifferent)
                                                 : static_cast<int>(exit_code_for(*failure));
}

}  // namespace

int run_migration(migration::Store& store, const Migration& migration, const migration::Request& request,
                  const MigrationRunOptions& options, Console& console, migration::HttpServer* server) {
  const Log log(console);
  console.set_field("migration", migration.name);
  console.set_field("target", migration.target);
  migration::Runner runner(store, migration, request, console);
  if (server != nullptr) {
    migration::add_worker_routes(*server, {.migration = [&runner] { return runner.migration(); },
                                           .is_alive = [&runner] { return runner.is_alive(); }});
    server->start();
    log.info(fmt::format("{}/status shows the migration", server->url()));
  }
  report_ready();
  const SignalsCancel signals([&runner] { runner.stop(); });
  Migration ended;
  {
    const ProgressDisplay display(console, options.progress, [&runner] { return progress_of(runner.migration()); });
    ended = runner.run();
  }
  if (server != nullptr) server->stop();
  std::fputs(migration_text(ended, options.output, store.folder()).c_str(), stdout);
  std::fflush(stdout);
  if (ended.state == State::kSucceeded) {
    log.info(fmt::format("migration {}: {}", ended.name, to_string(ended.state)));
  } else {
    log.error(fmt::format("migration {}: {}: {}", ended.name, to_string(ended.state), ended.error));
  }
  return exit_code_of(ended, runner);
}

void report_ready() {
  const char* ready = std::getenv("PGSLUICE_READY");
  if (ready == nullptr) return;
  [[maybe_unused]] const ssize_t written = ::write(kReadyDescriptor, "1", 1);
  ::close(kReadyDescriptor);
  ::unsetenv("PGSLUICE_READY");
}

}  // namespace pgsluice::tools
