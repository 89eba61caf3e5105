#include <fmt/format.h>
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <pg_config.h>
#include <sqlite3.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "pg/connection.h"
#include "pgsluice/version.h"
#include "schema/archive/pg_dump.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/running.h"

namespace pgsluice::tools {

namespace {

constexpr const char* kVersionFooter =
    "Examples:\n"
    "  pgsluice version\n"
    "  pgsluice version --json --source postgresql://me@old/shop --target postgresql://me@new/shop\n"
    "\n"
    "With --source or --target those servers are asked for theirs. The keys of --json are pgcopydb's, and ours beside.";

// Whose command line and files this program takes.
constexpr const char* kPgcopydbVersion = "0.18";

struct VersionArguments {
  std::string source;
  std::string target;
  bool json = false;
  LogOptions log;
};

std::string libpq_version() {
  const int number = PQlibVersion();
  return fmt::format("{}.{}", number / 10000, number % 10000);
}

std::string pg_dump_version(const CancelToken& cancel) {
  try {
    const schema::ClientProgram program = schema::find_client_program(std::nullopt, 0, cancel);
    return fmt::format("{} ({})", program.version_text, program.path.string());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    return "not found";
  }
}

int run_version(const VersionArguments& args) {
  return run_cancellable(args.log, [&](Console& console, const CancelToken& cancel) -> int {
    nlohmann::ordered_json versions = {{"pgsluice", version()},
                                       {"libpq", libpq_version()},
                                       {"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)},
                                       {"liburing", PGSLUICE_LIBURING_VERSION},
                                       {"sqlite", sqlite3_libversion()},
                                       {"pg_dump", pg_dump_version(cancel)}};
    for (const auto& [side, conninfo] :
         {std::pair(Side::kSource, args.source), std::pair(Side::kTarget, args.target)}) {
      if (conninfo.empty()) continue;
      pg::Connection server =
          pg::Connection::open(pg::ConnInfo::parse(conninfo, side), "version", Log(console), cancel);
      versions[std::string(to_string(side))] = server.server_version_text();
    }
    std::string text;
    for (const auto& [what, version] : versions.items())
      text += fmt::format("{} {}\n", what, version.get<std::string>());
    if (args.json) {
      versions.update({{"pgcopydb", kPgcopydbVersion},
                       {"pg_major", PG_MAJORVERSION},
                       {"pg_version", PG_VERSION},
                       {"pg_version_str", PG_VERSION_STR},
                       {"pg_version_num", PG_VERSION_NUM}});
      text = versions.dump(2) + "\n";
    }
    std::fputs(text.c_str(), stdout);
    return kExitSuccess;
  });
}

}  // namespace

void add_version_command(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("version", "Print the versions of pgsluice, its libraries, pg_dump, and servers");
  command->footer(kVersionFooter);
  auto args = std::make_shared<VersionArguments>();
  command->add_option("-S,--source", args->source, "Source database, URI or keywords");
  command->add_option("-T,--target", args->target, "Target database, URI or keywords");
  command->add_flag("--json", args->json, "One JSON document");
  add_log_options(*command, args->log);
  command->callback([args, &exit_code] { exit_code = run_version(*args); });
}

}  // namespace pgsluice::tools
