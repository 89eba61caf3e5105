#include "tools/pgsluice/engine_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/nearest.h"
#include "tools/pgsluice/clone_arguments.h"
#include "tools/pgsluice/command_line.h"

namespace pgsluice::tools {

namespace {

// "table-jobs" and "tableJobs" are the same.
std::string plain(const std::string& name) {
  std::string result;
  for (const char c : name) {
    if (c == '-' || c == '_') continue;
    result += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

// What a migration decides itself.
const std::map<std::string, std::string, std::less<>> kNotHere = {
    {"source", "SourceDBServerResourceId names the source"},
    {"target", "TargetDbServerResourceId names the target"},
    {"dir", "the store has a work directory for each migration"},
    {"resume", "'migration create --resume' takes a migration up again"},
    {"restart", "a migration makes its databases over"},
    {"not-consistent", "a migration's databases are each of one moment"},
    {"snapshot", "a snapshot is of one database"},
    {"drop-if-exists", "OverwriteDBsInTarget says what becomes of databases that are there"},
    {"no-ledger", "a migration is resumed by its ledger"},
    {"roles", "MigrateRoles says whether roles are migrated"},
    {"all-databases", "DBsToMigrate names the databases"},
    {"dry-run", "MigrationOption Validate looks first, and changes nothing"},
    {"json", "it is of the command line: -o json"},
    {"progress", "it is of the command line"},
    {"verbose", "it is of the command line"},
    {"notice", "it is of the command line"},
    {"debug", "it is of the command line"},
    {"trace", "it is of the command line"},
    {"quiet", "it is of the command line"},
    {"help", "it is no option of a copy"},
};

const std::set<std::string, std::less<>> kOfTheMachine = {"pg-bindir", "trace-file", "filters", "filter",
                                                          "requirements"};

std::string argument(const std::string& option, const nlohmann::json& value, const std::string& key) {
  if (value.is_boolean()) return fmt::format("--{}={}", option, value.get<bool>());
  if (value.is_number_integer()) return fmt::format("--{}={}", option, value.get<std::int64_t>());
  // 4.0 is a whole number, as programs write it whose numbers are all of one type.
  if (value.is_number_float() && value.get<double>() == std::floor(value.get<double>())) {
    return fmt::format("--{}={:.0f}", option, value.get<double>());
  }
  if (value.is_string()) return fmt::format("--{}={}", option, value.get<std::string>());
  throw Error(ErrorKind::kUsage,
              fmt::format("{}: is of type {}: a text, a number, or true or false is wanted", key, value.type_name()));
}

}  // namespace

namespace {

void add_options(CLI::App& app, CloneArguments& args) {
  add_connection_options(app, args);
  add_row_options(app, args);
  add_build_options(app, args);
  add_run_options(app, args);
  add_leaving_out_options(app, args);
  add_role_options(app, args);
  add_whole_clone_options(app, args);
  add_output_options(app, args);
}

// The option that a key means. Throws Error(kUsage) for one that means none, or none of a migration's.
std::string option_of(const std::string& key, const std::vector<std::string>& names,
                      migration::PropertiesContext::Origin origin) {
  const auto option =
      std::find_if(names.begin(), names.end(), [&](const auto& name) { return plain(name) == plain(key); });
  if (option == names.end()) {
    const std::optional<std::string> meant = nearest(key, names);
    throw Error(ErrorKind::kUsage, fmt::format("{}: is no option of a clone{}", key,
                                               meant ? fmt::format("; did you mean {}?", *meant) : ""))
        .hint("'pgsluice clone --help' lists them");
  }
  if (const auto reason = kNotHere.find(*option); reason != kNotHere.end()) {
    throw Error(ErrorKind::kUsage, fmt::format("{}: is not for a migration: {}", key, reason->second));
  }
  if (origin == migration::PropertiesContext::Origin::kRemote && kOfTheMachine.contains(*option)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: names a file of the server's machine, which a request may not", key));
  }
  return *option;
}

}  // namespace

pipeline::CloneOptions engine_options(const nlohmann::json& engine, migration::PropertiesContext::Origin origin) {
  std::vector<std::string> names;
  {
    CLI::App app;
    CloneArguments args;
    add_options(app, args);
    for (const std::string& name : option_names(app)) names.push_back(name.substr(2));
  }
  std::vector<std::string> arguments;
  for (const auto& [key, value] : engine.items()) {
    arguments.push_back(argument(option_of(key, names, origin), value, key));
    // Each by itself first, so that a value that is none can be told with its key.
    CLI::App app;
    CloneArguments args;
    add_options(app, args);
    try {
      app.parse(std::vector{arguments.back()});
    } catch (const CLI::ParseError& error) {
      throw Error(ErrorKind::kUsage, fmt::format("{}: {}", key, error.what()));
    }
  }
  CLI::App app;
  CloneArguments args;
  add_options(app, args);
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::kUsage, fmt::format("{}: {}", engine.begin().key(), error.what()));
  }
  pipeline::CloneOptions options = clone_options(args);
  for (const auto& [name, count] : {std::pair{"tableJobs", options.table_jobs}, {"indexJobs", options.index_jobs}}) {
    if (count < 1 || count > 256) throw Error(ErrorKind::kUsage, fmt::format("{}: 1 to 256 are taken", name));
  }
  return options;
}

}  // namespace pgsluice::tools
