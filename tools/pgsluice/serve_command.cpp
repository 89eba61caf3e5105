// `serve`: the REST API of migrations, and a page.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "pgsluice/base/error.h"
#include "pgsluice/base/wait.h"
#include "pgsluice/commands.h"
#include "pgsluice/console.h"
#include "pgsluice/engine_options.h"
#include "pgsluice/exit_code.h"
#include "pgsluice/migration/rest_api.h"
#include "pgsluice/migration_arguments.h"
#include "pgsluice/option_values.h"
#include "pgsluice/running.h"
#include "pgsluice/signals.h"

namespace pgsluice::tools {

namespace {

constexpr const char* kFooter =
    "Examples:\n"
    "  pgsluice serve     http://127.0.0.1:8432 shows the migrations\n"
    "  pgsluice serve --listen 0.0.0.0:8432 --token-file /run/secrets/token --tls-cert c.pem --tls-key k.pem\n"
    "  curl -X PUT http://127.0.0.1:8432/migrations/first -d @body.json\n"
    "  curl http://127.0.0.1:8432/migrations/first\n"
    "\n"
    "Each migration is carried out by a process of its own, which goes on without this one. On any address but "
    "loopback\n"
    "a bearer token is needed; without --tls-cert, put TLS before it.\n"
    "\n"
    "Exit codes: 0 ended by SIGINT or SIGTERM, 1 arguments, 2 the address or the certificate cannot be had, 3 store.";

struct ServeArguments : MigrationArguments {
  HttpArguments http{.listen = "127.0.0.1:8432"};
  std::string worker_command;
};

// A request says which server is connected to: what this user has for others is not to be sent there.
void forget_own_passwords() {
  for (const char* variable : {"PGPASSWORD", "PGSERVICE", "PGSERVICEFILE", "PGSSLKEY", "PGSSLCERT"}) {
    ::unsetenv(variable);
  }
  ::setenv("PGPASSFILE", "/dev/null", 1);
}

int run(ServeArguments& args) {
  forget_own_passwords();
  return run_reporting(args.log, [&](Console& console) -> int {
    const Log log(console);
    const std::filesystem::path folder = open_store(args).folder();
    migration::HttpServer server(http_options(args.http), log);
    migration::add_rest_routes(server,
                               {.store = folder,
                                .properties = {.origin = migration::PropertiesContext::Origin::kRemote,
                                               .max_databases = args.max_databases,
                                               .engine = &engine_options},
                                .worker = {.program = std::filesystem::read_symlink("/proc/self/exe").string(),
                                           .command = args.worker_command,
                                           .max_databases = args.max_databases}},
                               log);
    CancelSource cancel;
    const SignalsCancel signals([&cancel] { cancel.cancel(); });
    server.start();
    log.info(fmt::format("{} shows the migrations of {}", server.url(), folder.string()));
    wait_for({}, cancel.token(), std::nullopt);
    log.info("ended; migrations that run go on by themselves");
    return kExitWell;
  });
}

}  // namespace

void add_serve_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("serve", "The REST API of migrations, and a page that shows them");
  command->footer(kFooter);
  auto args = std::make_shared<ServeArguments>();
  add_http_options(*command, args->http, "host:port (127.0.0.1:8432)");
  command->add_option("--store", args->store,
                      "Folder of the migrations (default $PGSLUICE_STORE, else "
                      "~/.local/state/pgsluice)");
  command->add_option("--max-databases", args->max_databases, "How many databases a migration may have (8)")
      ->check(whole_number(1, 1000));
  command->add_option("--worker-command", args->worker_command,
                      "What begins a migration's worker, by the shell, as of 'migration create --no-wait'");
  add_log_options(*command, args->log);
  command->callback([args, &exit_code] { exit_code = run(*args); });
}

}  // namespace pgsluice::tools
