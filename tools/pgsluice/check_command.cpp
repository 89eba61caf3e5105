// `check`: everything that would make a clone fail or lose something, before it begins.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "pgsluice/error.h"
#include "pgsluice/migration/validator.h"
#include "pgsluice/server_clone.h"
#include "pipeline/prepare/sessions.h"
#include "tools/pgsluice/clone_arguments.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/migration_arguments.h"
#include "tools/pgsluice/migration_report.h"
#include "tools/pgsluice/running.h"

namespace pgsluice::tools {

namespace {

using migration::ValidationDetails;
using migration::ValidationRequest;
using migration::ValidationState;

constexpr const char* kCheckFooter =
    "Examples:\n"
    "  pgsluice check --source postgresql://me@old/shop --target postgresql://me@new/shop\n"
    "  pgsluice check --all-databases --source postgresql://me@old --target postgresql://me@new -o json\n"
    "\n"
    "Takes the options of 'clone', so that what is checked is what will be done. Changes nothing.\n"
    "\n"
    "Exit codes: 0 nothing stands in the way (there may be warnings), 20 something does, 1 arguments, 130/143 "
    "cancelled.";

struct CheckArguments : CloneArguments {
  std::string output;
  std::string store;
};

// That of a connection string, as libpq would take it; what cannot be reached is named as it was written.
std::string database_of(const pipeline::CloneOptions& options, Side side, const Log& log, const CancelToken& cancel) {
  const pg::ConnInfo conninfo = pipeline::conninfo_of(options, side);
  try {
    return pg::Connection::open(conninfo, "check", log, cancel).database();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    const char* variable = std::getenv("PGDATABASE");
    return conninfo.get("dbname").value_or(variable == nullptr ? "postgres" : variable);
  }
}

// Runs the checks of the clone itself.
migration::Validation validate_plan(pipeline::CloneOptions options, Console& console, const CancelToken& cancel) {
  migration::Validation validation{.type = "CloneValidation"};
  try {
    options.roles = true;  // RolesValidation has told which ones are missing
    pipeline::Clone clone(std::move(options), console, cancel);
    const pipeline::ClonePlan plan = clone.plan();
    for (const std::string& warning : plan.warnings) {
      validation.findings.push_back({ValidationState::kWarning, warning});
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled || error.kind() == ErrorKind::kUsage) throw;
    validation.findings.push_back({ValidationState::kFailed, describe(error)});
  }
  return validation;
}

migration::Validation not_to_be_planned() {
  return {.type = "CloneValidation",
          .findings = {{ValidationState::kWarning,
                        "the database is not on the target yet: the clone's own checks run once it is made"}}};
}

ValidationDetails check(const CheckArguments& args, Console& console, const CancelToken& cancel) {
  const Log log(console);
  const pipeline::CloneOptions options = clone_options(args);
  ValidationRequest request{
      .source = options.source, .target = options.target, .is_clone = true, .roles = options.roles, .engine = options};
  if (args.all_databases) {
    for (const pipeline::PlannedDatabase& planned : pipeline::ServerClone(options, console, {}, cancel).plan()) {
      const std::string& name = planned.database.name;
      request.databases.push_back(name);
      if (planned.create_sql.empty()) request.existing_targets[name] = name;
    }
  } else {
    const std::string name = database_of(options, Side::kSource, log, cancel);
    request.databases = {name};
    request.existing_targets[name] = database_of(options, Side::kTarget, log, cancel);
  }
  ValidationDetails details{.started = std::chrono::system_clock::now()};
  migration::Validator validator(request, log, cancel);
  details.server = validator.validate_servers();
  for (const std::string& database : request.databases) {
    if (!validator.reached_both()) break;
    migration::DatabaseValidation validation{.database = database, .started = std::chrono::system_clock::now()};
    validation.validations = validator.validate_database(database);
    pipeline::CloneOptions of_database = options;
    if (args.all_databases) of_database.database = database;
    validation.validations.push_back(request.existing_targets.contains(database)
                                         ? validate_plan(std::move(of_database), console, cancel)
                                         : not_to_be_planned());
    validation.ended = std::chrono::system_clock::now();
    details.databases.push_back(std::move(validation));
  }
  details.ended = std::chrono::system_clock::now();
  return details;
}

int run(const CheckArguments& args) {
  return run_cancellable(args.log, [&](Console& console, const CancelToken& cancel) -> int {
    const OutputFormat output = output_format(args.json ? "json" : args.output);
    const ValidationDetails details = check(args, console, cancel);
    std::fputs(validation_text(details, output).c_str(), stdout);
    return details.state() == ValidationState::kFailed ? kExitInvalid : kExitSuccess;
  });
}

}  // namespace

void add_check_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("check", "What would make a clone fail or lose something");
  command->footer(kCheckFooter);
  auto args = std::make_shared<CheckArguments>();
  add_clone_options(*command, *args);
  command->add_option("-o,--output", args->output, "json, table or none (default: table on a terminal, else json)")
      ->group("Output");
  command->add_option("--store", args->store, "Taken as all commands of migrations take it; nothing is kept")
      ->group("");
  command->callback([args, &exit_code] { exit_code = run(*args); });
}

}  // namespace pgsluice::tools
