#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

#include "pgsluice/error.h"
#include "pipeline/extensions.h"
#include "pipeline/prepare/definitions.h"
#include "pipeline/prepare/roles.h"
#include "pipeline/prepare/shared_snapshot.h"
#include "tools/pgsluice/clone_arguments.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/option_values.h"
#include "tools/pgsluice/running.h"

namespace pgsluice::tools {

namespace {

using pipeline::SettingGroup;

using pipeline::Step;
using pipeline::Steps;

/// A command that carries out some steps of a clone.
struct StepCommand {
  const char* name;
  const char* description;
  Steps steps;
  const char* example;  ///< options of its example
};

// Commands of `copy`: the source's definitions are read as they are now.
const std::vector<StepCommand>& copy_commands() {
  static const std::vector<StepCommand> kCommands = {
      {"schema",
       "Copy all definitions, without rows",
       {Step::kPreData, Step::kIndexes, Step::kConstraints, Step::kPostData},
       ""},
      {"data",
       "Copy rows, large objects and sequence values, and build indexes and keys, into tables that are there",
       {Step::kTableData, Step::kLargeObjects, Step::kSequences, Step::kIndexes, Step::kConstraints, Step::kStatistics},
       " --table-jobs 8"},
      {"table-data",
       "Copy the rows of all tables into tables that are there, which are truncated",
       {Step::kTableData},
       " --table-jobs 8"},
      {"blobs", "Copy large objects", {Step::kLargeObjects}, ""},
      {"sequences", "Copy the values of sequences", {Step::kSequences}, ""},
      {"indexes", "Build indexes, those of keys too", {Step::kIndexes}, " --index-jobs 8"},
      {"constraints",
       "Make primary keys, unique and exclusion constraints of indexes that are there",
       {Step::kConstraints},
       ""}};
  return kCommands;
}

// Commands of `restore`: from what `dump schema` has written. Indexes that are not built yet are built.
const std::vector<StepCommand>& restore_commands() {
  static const std::vector<StepCommand> kCommands = {
      {"schema",
       "Restore all definitions from the work directory",
       {Step::kPreData, Step::kIndexes, Step::kConstraints, Step::kPostData},
       ""},
      {"pre-data", "Restore what has to be there before the rows, from the work directory", {Step::kPreData}, ""},
      {"post-data",
       "Restore what comes after the rows, from the work directory; ends a copy in steps",
       {Step::kIndexes, Step::kConstraints, Step::kPostData},
       " --index-jobs 8"}};
  return kCommands;
}

// pgcopydb's commands of a group take one list of options, also where they have no effect: so do these.
void take_options_of_clone(CLI::App& command) {
  for (const SettingGroup group : {SettingGroup::kRolesFirst, SettingGroup::kRoles, SettingGroup::kLargeObjects,
                                   SettingGroup::kVacuum, SettingGroup::kProperties}) {
    take_without_effect(command, group);
  }
  take_without_effect(command, {"--skip-analyze"}, {"--table-jobs", "--jobs"});
}

std::string footer(std::string_view group, const StepCommand& command) {
  const bool copies = group == "copy";
  return fmt::format(
      "Example:\n"
      "  pgsluice {} {} {}--target postgresql://me@new/shop{}\n\n"
      "These commands, one after another and each with the same --dir, make one copy:\n"
      "  pgsluice snapshot &\n"
      "  pgsluice dump schema; pgsluice restore pre-data\n"
      "  pgsluice copy table-data; pgsluice copy blobs; pgsluice copy sequences\n"
      "  pgsluice copy indexes; pgsluice copy constraints; pgsluice restore post-data\n\n"
      "Exit codes: 0 complete, 1 arguments, 2 configuration, 3 work directory, 6 source, 7 target, 12 internal,\n"
      "21 rows differ, 22 finished with something missing, 130/143 cancelled.",
      group, command.name, copies ? "--source postgresql://me@old/shop " : "", command.example);
}

void add_step_command(CLI::App& group, const StepCommand& step, bool from_work_folder, int& exit_code) {
  CLI::App* command = group.add_subcommand(step.name, step.description);
  command->footer(footer(group.get_name(), step));
  auto args = std::make_shared<CloneArguments>();
  args->options.steps = step.steps;
  args->options.definitions_from_work_folder = from_work_folder;
  for (const SettingGroup settings : {SettingGroup::kConnections, SettingGroup::kRows, SettingGroup::kBuilds,
                                      SettingGroup::kRuns, SettingGroup::kOmissions}) {
    add_settings(*command, *args, settings);
  }
  if (step.steps.contains(Step::kLargeObjects)) add_settings(*command, *args, SettingGroup::kLargeObjects);
  if (step.steps.contains(Step::kStatistics)) add_settings(*command, *args, SettingGroup::kVacuum);
  add_output_options(*command, *args);
  take_options_of_clone(*command);
  command->callback([args, &exit_code] { exit_code = run_clone(*args); });
}

void add_dump_schema(CLI::App& group, int& exit_code) {
  CLI::App* command = group.add_subcommand("schema", "Write the source's definitions into the work directory");
  command->footer(
      "Example:\n"
      "  pgsluice dump schema --source postgresql://me@old/shop --dir /var/tmp/shop\n\n"
      "The archive, schema/schema.dump in the work directory, can be read by pg_restore too.\n"
      "Exit codes: 0 complete, 1 arguments, 2 configuration, 3 work directory, 6 source, 130/143 cancelled.");
  auto args = std::make_shared<CloneArguments>();
  for (const SettingGroup settings : {SettingGroup::kConnections, SettingGroup::kRuns, SettingGroup::kOmissions}) {
    add_settings(*command, *args, settings);
  }
  add_log_options(*command, args->log);
  take_options_of_clone(*command);
  command->callback([args, &exit_code] {
    exit_code = run_cancellable(args->log, [&](Console& console, const CancelToken& cancel) {
      pipeline::dump_schema(clone_options(*args), Log(console), cancel);
      return kExitSuccess;
    });
  });
}

int report_roles(const schema::RolesOutcome& roles) { return roles.failed.empty() ? kExitSuccess : kExitIncomplete; }

/// A command that is no part of the graph of a clone.
struct OtherCommand {
  enum class Takes { kRoles, kWhatIsLeftOut };
  Takes takes;
  const char* name;
  const char* description;
  const char* options;  ///< of its example
  int (*run)(const pipeline::CloneOptions&, const Log&, const CancelToken&);
};

constexpr const char* kBothServers = "--source postgresql://postgres@old/shop --target postgresql://postgres@new/shop";

void add_other_command(CLI::App& group, const OtherCommand& other, int& exit_code) {
  CLI::App* command = group.add_subcommand(other.name, other.description);
  command->footer(
      fmt::format("Example:\n  pgsluice {} {} {}\n\n"
                  "Exit codes: 0 complete, 1 arguments, 2 configuration, 3 work directory, 6 source, 7 target,\n"
                  "22 finished with something missing, 130/143 cancelled.",
                  group.get_name(), other.name, other.options));
  auto args = std::make_shared<CloneArguments>();
  add_settings(*command, *args, SettingGroup::kConnections);
  if (other.takes == OtherCommand::Takes::kRoles) {
    add_settings(*command, *args, SettingGroup::kRoles, "Options");
    take_without_effect(*command, SettingGroup::kOmissions);
  } else {
    add_settings(*command, *args, SettingGroup::kOmissions);
  }
  add_log_options(*command, args->log);
  take_without_effect(*command, SettingGroup::kRuns);
  take_without_effect(*command, SettingGroup::kBuilds);
  take_options_of_clone(*command);
  command->callback([args, run = other.run, &exit_code] {
    exit_code = run_cancellable(args->log, [&](Console& console, const CancelToken& cancel) {
      return run(clone_options(*args), Log(console), cancel);
    });
  });
}

void add_role_and_extension_commands(CLI::App& copy, CLI::App& dump, CLI::App& restore, int& exit_code) {
  using Takes = OtherCommand::Takes;
  add_other_command(copy,
                    {Takes::kRoles, "roles", "Copy the server's roles: those that the target has not", kBothServers,
                     [](const pipeline::CloneOptions& options, const Log& log, const CancelToken& cancel) {
                       return report_roles(pipeline::copy_roles(pipeline::roles_request(options), log, cancel));
                     }},
                    exit_code);
  add_other_command(copy,
                    {Takes::kWhatIsLeftOut, "extensions",
                     "Make the database's extensions, with their configuration tables' rows", kBothServers,
                     [](const pipeline::CloneOptions& options, const Log& log, const CancelToken& cancel) {
                       pipeline::copy_extensions(options, log, cancel);
                       return static_cast<int>(kExitSuccess);
                     }},
                    exit_code);
  add_other_command(dump,
                    {Takes::kRoles, "roles", "Write the server's roles into the work directory",
                     "--source postgresql://postgres@old/shop --no-role-passwords",
                     [](const pipeline::CloneOptions& options, const Log& log, const CancelToken& cancel) {
                       pipeline::dump_roles(pipeline::roles_request(options), log, cancel);
                       return static_cast<int>(kExitSuccess);
                     }},
                    exit_code);
  add_other_command(restore,
                    {Takes::kRoles, "roles", "Make the roles of the work directory that the target has not",
                     "--target postgresql://postgres@new/shop",
                     [](const pipeline::CloneOptions& options, const Log& log, const CancelToken& cancel) {
                       return report_roles(pipeline::restore_roles(pipeline::roles_request(options), log, cancel));
                     }},
                    exit_code);
}

}  // namespace

void add_step_commands(CLI::App& app, int& exit_code) {
  CLI::App* copy = app.get_subcommand("copy");
  for (const StepCommand& command : copy_commands()) add_step_command(*copy, command, false, exit_code);
  CLI::App* dump = app.add_subcommand("dump", "Write definitions into the work directory");
  dump->require_subcommand(1)->footer(
      "Example:\n  pgsluice dump schema --source postgresql://me@old/shop --dir /var/tmp/shop");
  add_dump_schema(*dump, exit_code);
  CLI::App* restore = app.add_subcommand("restore", "Restore definitions from the work directory");
  restore->require_subcommand(1)->footer(
      "Example:\n  pgsluice restore pre-data --target postgresql://me@new/shop --dir /var/tmp/shop");
  for (const StepCommand& command : restore_commands()) add_step_command(*restore, command, true, exit_code);
  add_role_and_extension_commands(*copy, *dump, *restore, exit_code);
}

void add_snapshot_command(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("snapshot", "Export a snapshot of the source and hold it until a signal ends this");
  command->footer(
      "Example:\n"
      "  pgsluice snapshot --source postgresql://me@old/shop --dir /var/tmp/shop &\n\n"
      "Prints the snapshot's name. Commands with the same --dir use it by themselves, others by --snapshot.\n"
      "Exit codes: 0 ended by SIGTERM or SIGINT, 1 arguments, 3 work directory, 6 source.");
  auto args = std::make_shared<CloneArguments>();
  add_settings(*command, *args, SettingGroup::kConnections);
  add_log_options(*command, args->log);
  take_without_effect(*command, {"--not-consistent", "--resume", "--restart"}, {"--table-jobs", "--jobs"});
  refuse_change_data_capture(*command);
  command->callback([args, &exit_code] {
    exit_code = run_cancellable(args->log, [&](Console& console, const CancelToken& cancel) {
      const auto print = [](const std::string& name) {
        std::puts(name.c_str());
        std::fflush(stdout);
      };
      const pipeline::CloneOptions options = clone_options(*args);
      pipeline::keep_snapshot(options, options.work_folder, print, Log(console), cancel);
      return kExitSuccess;
    });
  });
}

}  // namespace pgsluice::tools
