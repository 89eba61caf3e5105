// `serve`: the REST API of migrations, and a page.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "base/wait.h"
#include "migration/http/own_credentials.h"
#include "migration/http/rest_api.h"
#include "pgsluice/error.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/migration_arguments.h"
#include "tools/pgsluice/option_values.h"
#include "tools/pgsluice/running.h"
#include "tools/pgsluice/signals.h"

namespace pgsluice::tools {

namespace {

constexpr const char* kServeFooter =
    "Examples:\n"
    "  pgsluice serve     http://127.0.0.1:8432 shows the migrations\n"
    "  pgsluice serve --listen 0.0.0.0:8432 --token-file /run/secrets/token --tls-cert c.pem --tls-key k.pem\n"
    "  pgsluice serve --allow-source '*.old.example' --allow-target 'new.example:5432'\n"
    "  curl http://127.0.0.1:8432/migrations/first\n"
    "  curl -X PUT http://127.0.0.1:8432/migrations/first -d @body.json \\\n"
    "      -H \"Authorization: Bearer $(cat ~/.local/state/pgsluice/token)\"\n"
    "\n"
    "Each migration is carried out by a process of its own, which continues without this one. Requests that change\n"
    "something need the token; if none is given, the file 'token' of the store holds one. On any address but loopback\n"
    "all requests need it; without --tls-cert, put TLS before it.\n"
    "\n"
    "Exit codes: 0 ended by SIGINT or SIGTERM, 1 arguments, 2 the address or the certificate cannot be had, 3 store.";

struct ServeArguments : MigrationArguments {
  HttpArguments http{.listen = "127.0.0.1:8432"};
  std::string worker_command;
  std::vector<std::string> allowed_sources;
  std::vector<std::string> allowed_targets;
};

void announce(const migration::HttpServer& server, const std::filesystem::path& store,
              const std::filesystem::path& token_file, const std::string& token, const Log& log) {
  log.info(fmt::format("{} shows the migrations of {}", server.url(), store.string()));
  if (!server.is_loopback() && !server.url().starts_with("https:")) {
    log.warning("without TLS, passwords in requests can be read on the way: use --tls-cert and --tls-key, or a proxy");
  }
  if (token_file.empty()) return;
  log.info(fmt::format("requests that change something need the token in {}", token_file.string()));
  // A link that carries the token is for the person in front of the terminal, and for no log.
  if (::isatty(STDOUT_FILENO) == 1) fmt::print("open {}/#token={}\n", server.url(), token);
}

int run(ServeArguments& args) {
  migration::withhold_own_credentials();
  return run_reporting(args.log, [&](Console& console) -> int {
    const Log log(console);
    const std::filesystem::path folder = open_store(args).folder();
    migration::HttpOptions http = http_options(args.http);
    std::filesystem::path token_file;
    if (http.token.empty() && migration::is_loopback_listen(http.listen)) {
      token_file = folder / "token";
      http.token = migration::read_or_make_token(token_file);
    }
    const std::string token = http.token;
    migration::HttpServer server(std::move(http), log);
    migration::add_rest_routes(server,
                               {.store = folder,
                                .properties = {.origin = migration::PropertiesContext::Origin::kRemote,
                                               .max_databases = args.max_databases,
                                               .allowed_sources = args.allowed_sources,
                                               .allowed_targets = args.allowed_targets},
                                .worker = {.program = std::filesystem::read_symlink("/proc/self/exe").string(),
                                           .command = args.worker_command,
                                           .max_databases = args.max_databases}},
                               log);
    CancelSource cancel;
    const SignalsCancel signals([&cancel] { cancel.cancel(); });
    server.start();
    announce(server, folder, token_file, token, log);
    wait_for({}, cancel.token(), std::nullopt);
    log.info("ended; migrations that are running continue in their own processes");
    return kExitSuccess;
  });
}

}  // namespace

void add_serve_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("serve", "The REST API of migrations, and a page that shows them");
  command->footer(kServeFooter);
  auto args = std::make_shared<ServeArguments>();
  add_http_options(*command, args->http, "host:port (127.0.0.1:8432)");
  command->add_option("--store", args->store,
                      "Folder of the migrations (default $PGSLUICE_STORE, else "
                      "~/.local/state/pgsluice)");
  command->add_option("--max-databases", args->max_databases, "How many databases a migration may have (8)")
      ->check(whole_number(1, 1000));
  command->add_option("--worker-command", args->worker_command,
                      "What begins a migration's worker, by the shell, as of 'migration create --no-wait'");
  command->add_option("--allow-source", args->allowed_sources,
                      "Servers that requests may name as source: shell patterns of host or host:port (default all)");
  command->add_option("--allow-target", args->allowed_targets, "The same for targets");
  add_log_options(*command, args->log);
  command->callback([args, &exit_code] { exit_code = run(*args); });
}

}  // namespace pgsluice::tools
