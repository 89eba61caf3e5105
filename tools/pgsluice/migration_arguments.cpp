#include "tools/pgsluice/migration_arguments.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cstdlib>

#include "base/file_descriptor.h"
#include "pgsluice/error.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/option_values.h"

namespace pgsluice::tools {

std::optional<std::string> MigrationArguments::wanted_target() const {
  if (target_name().empty()) return std::nullopt;
  return target_name();
}

std::map<std::string, std::string> MigrationArguments::labels() const {
  std::map<std::string, std::string> labels;
  if (!subscription.empty()) labels["subscription"] = subscription;
  if (!resource_group.empty()) labels["resourceGroup"] = resource_group;
  if (!location.empty()) labels["location"] = location;
  for (const std::string& tag : tags) {
    const std::size_t equals = tag.find('=');
    labels[tag.substr(0, equals)] = equals == std::string::npos ? "" : tag.substr(equals + 1);
  }
  return labels;
}

void add_migration_options(CLI::App& command, MigrationArguments& args) {
  command.add_option("--store", args.store,
                     "Folder of the migrations (default $PGSLUICE_STORE, else "
                     "~/.local/state/pgsluice)");
  command.add_option("-o,--output", args.output, "json, table or none (default: table on a terminal, else json)");
  command
      .add_option_function<std::string>(
          "--query",
          [](const std::string&) {
            throw Error(ErrorKind::kUsage, "--query is not supported")
                .hint("'jq' picks values of -o json: pgsluice migration show … -o json | jq .properties.currentStatus");
          },
          "")
      ->group("");
  constexpr const char* kLabels = "Labels";
  command.add_option("--subscription", args.subscription, "Kept with the migration")->group(kLabels);
  command.add_option("-g,--resource-group", args.resource_group, "Kept with the migration")->group(kLabels);
  command.add_option("-l,--location", args.location, "Kept with the migration")->group(kLabels);
  command.add_option("--tags", args.tags, "name=value …, kept with the migration")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(kLabels);
  add_log_options(command, args.log);
}

void add_name_options(CLI::App& command, MigrationArguments& args) {
  command.add_option("-n,--name", args.name, "Name of the migration; with --migration-name, of the target server");
  command.add_option("--migration-name", args.migration_name, "Name of the migration, where --name is the target's");
  command.add_option("--target", args.target, "Target server, where several have a migration of that name");
}

void add_request_options(CLI::App& command, MigrationArguments& args) {
  command.add_option("-b,--properties", args.properties, "Properties file (docs/migration.md); - is standard input")
      ->required();
  command.add_option("--migration-mode", args.mode, "offline, which is all that there is");
  command.add_option("--migration-option", args.option, "Validate, Migrate or ValidateAndMigrate (the default)");
  command.add_option("--max-databases", args.max_databases, "How many databases the file may name (8)")
      ->check(whole_number(1, 1000));
  command.add_flag("--resume", args.resume, "Take up a migration that has failed, where it was");
  command.add_option("--progress", args.progress, "auto, bar, lines, json or none")
      ->check(one_of({"auto", "bar", "lines", "json", "none"}));
}

void add_http_options(CLI::App& command, HttpArguments& args, const std::string& listen_help) {
  constexpr const char* kHttp = "HTTP";
  command.add_option("--listen", args.listen, listen_help)->group(kHttp);
  command
      .add_option("--token-file", args.token_file,
                  "File of the bearer token that requests must carry, 16 characters or more (else $PGSLUICE_TOKEN); "
                  "required on "
                  "any address but loopback")
      ->group(kHttp);
  command
      .add_flag("--protect-reads", args.protect_reads,
                "Require the token on a loopback address for requests that only read, too")
      ->group(kHttp);
  command.add_option("--tls-cert", args.tls_certificate, "PEM file of the server's certificate")->group(kHttp);
  command.add_option("--tls-key", args.tls_key, "PEM file of its key")->group(kHttp);
}

namespace {

// A token without the line end that a file or a secret often has. One with blanks could not be sent in a header.
std::string one_word(std::string token, const std::string& from) {
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; };
  while (!token.empty() && is_blank(token.back())) token.pop_back();
  if (std::none_of(token.begin(), token.end(), is_blank)) return token;
  throw Error(ErrorKind::kConfig, fmt::format("the token of {} has blanks or several lines", from))
      .hint("a token is one word of 16 characters or more");
}

}  // namespace

migration::HttpOptions http_options(const HttpArguments& args) {
  migration::HttpOptions options{.listen = args.listen,
                                 .reads_need_token = args.protect_reads,
                                 .tls_certificate = args.tls_certificate,
                                 .tls_key = args.tls_key};
  if (!args.token_file.empty()) {
    options.token = one_word(read_file(args.token_file), args.token_file);
    if (options.token.empty()) throw Error(ErrorKind::kConfig, fmt::format("the file {} is empty", args.token_file));
  } else if (const char* token = std::getenv("PGSLUICE_TOKEN")) {
    options.token = one_word(token, "PGSLUICE_TOKEN");
  }
  ::unsetenv("PGSLUICE_TOKEN");
  return options;
}

migration::Store open_store(const MigrationArguments& args) {
  return migration::Store(args.store.empty() ? migration::Store::default_folder() : std::filesystem::path(args.store));
}

migration::Request parse_request(const MigrationArguments& args, const std::string& text) {
  if (::strcasecmp(args.mode.c_str(), "offline") != 0) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("--migration-mode {}: pgsluice's migrations are offline, and there is no other mode", args.mode));
  }
  migration::PropertiesContext context{.target = args.wanted_target(), .max_databases = args.max_databases};
  if (!args.option.empty()) {
    context.option = migration::from_text<migration::MigrationOption>(args.option);
    if (!context.option) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("--migration-option {}: Validate, Migrate or ValidateAndMigrate is wanted", args.option));
    }
  }
  return migration::parse_properties(text, context);
}

}  // namespace pgsluice::tools
