#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "migration/http/server.h"
#include "migration/remedies.h"
#include "pgsluice/migration/properties.h"
#include "pgsluice/migration/store.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/log_options.h"
#include "tools/pgsluice/migration_report.h"

namespace pgsluice::tools {

/// The arguments of the commands about migrations.
struct MigrationArguments {
  std::string name;
  /// The tutorial's: then `name` is the target server's.
  std::string migration_name;
  std::string target;
  std::string store;
  std::string output;
  std::string properties;
  std::string mode = "offline";
  std::string option;
  int max_databases = 8;
  bool resume = false;
  std::string subscription;
  std::string resource_group;
  std::string location;
  std::vector<std::string> tags;
  std::string progress = "auto";
  LogOptions log{.describe = &migration::describe};

  /// The name of the migration; empty if it was not given.
  const std::string& own_name() const { return migration_name.empty() ? name : migration_name; }
  /// As the user calls the target server; empty where it was not given.
  const std::string& target_name() const { return migration_name.empty() ? target : name; }
  std::optional<std::string> wanted_target() const;
  std::map<std::string, std::string> labels() const;
};

/// Adds the options of every command: --store, -o, the labels of the tutorial.
void add_migration_options(CLI::App& command, MigrationArguments& args);
/// --name, --migration-name, --target.
void add_name_options(CLI::App& command, MigrationArguments& args);
/// Adds the options that begin a migration: --properties and the like.
void add_request_options(CLI::App& command, MigrationArguments& args);

/// Where a command listens.
struct HttpArguments {
  std::string listen;
  std::string token_file;
  std::string tls_certificate;
  std::string tls_key;
  bool protect_reads = false;
};

/// --listen, --token-file, --protect-reads, --tls-cert, --tls-key.
void add_http_options(CLI::App& command, HttpArguments& args, const std::string& listen_help);
/// The token is that of the file, else $PGSLUICE_TOKEN, which is taken out of the environment: no process that this one
/// starts has it. Throws Error(kConfig).
migration::HttpOptions http_options(const HttpArguments& args);

migration::Store open_store(const MigrationArguments& args);
/// Reads the properties file's text. Throws Error.
migration::Request parse_request(const MigrationArguments& args, const std::string& text);

}  // namespace pgsluice::tools
