#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/counted.h"
#include "base/sqlstate.h"
#include "pgsluice/clone.h"
#include "pgsluice/error.h"
#include "pgsluice/server_clone.h"
#include "tools/pgsluice/clone_arguments.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/option_values.h"
#include "tools/pgsluice/plan_report.h"
#include "tools/pgsluice/progress_display.h"
#include "tools/pgsluice/running.h"
#include "tools/pgsluice/signals.h"
#include "tools/pgsluice/summary_report.h"

namespace pgsluice::tools {

namespace {

using pipeline::SettingGroup;

using pipeline::Clone;

constexpr const char* kCloneFooter =
    "Examples:\n"
    "  pgsluice clone --source postgresql://me@old/shop --target postgresql://me@new/shop\n"
    "  pgsluice clone --source 'host=old dbname=shop' --target 'host=new dbname=shop' --table-jobs 8\n"
    "  pgsluice clone --split-tables-larger-than '10 GB' --memory '8 GB' --trace-file run.json\n"
    "  pgsluice clone --source … --target … --resume      goes on where that was interrupted\n"
    "  pgsluice clone --all-databases --roles --source postgresql://postgres@old --target postgresql://postgres@new\n"
    "  pgsluice clone --source … --target … --dry-run     the plan, how long it takes, and nothing is changed\n"
    "\n"
    "The target database exists and is empty; the roles that own its objects exist. Give passwords by PGPASSWORD\n"
    "or ~/.pgpass: they are never shown, but a command line is visible to others of the machine.\n"
    "\n"
    "Exit codes: 0 complete, 1 arguments, 2 configuration, 3 work directory, 6 source, 7 target, 12 internal,\n"
    "21 rows differ, 22 finished with something missing, 130/143 cancelled.";

std::string_view what_is_left(const Error& error, const Clone& clone, const pipeline::CloneOptions& options) {
  if (!clone.target_changed() && clone.roles_made() > 0) {
    return "roles were made on the target, and stay there; nothing else was changed";
  }
  if (!clone.target_changed()) {
    return options.earlier_run == pipeline::EarlierRun::kResume ? "nothing more was changed on the target"
                                                                : "nothing was changed on the target";
  }
  if (!options.ledger) {
    return "the target holds a part of the copy: drop and create its database again, then run the same command";
  }
  if (error.cannot_resume()) return "the target holds a part of the copy";
  // A standby's recovery conflict: a new snapshot does, if what was copied is still so.
  const bool snapshot_is_lost = error.side() == Side::kSource && error.sqlstate() == sqlstate::kSerializationFailure;
  if (snapshot_is_lost) {
    return "the target holds a part of the copy: run the same command with --resume to go on, which is refused where "
           "tables that were copied have changed since";
  }
  return "the target holds a part of the copy: run the same command with --resume to go on";
}

int report_error(const Error& error, const Clone& clone, const CloneArguments& args, Console& console) {
  if (args.json) std::fputs(error_json(error, clone.target_changed()).c_str(), stdout);
  std::fflush(stdout);
  const Log log(console);
  const bool cancelled = error.kind() == ErrorKind::kCancelled;
  if (!cancelled) log.error(error);
  if (error.kind() == ErrorKind::kUsage) return kExitUsage;
  const std::string_view state = what_is_left(error, clone, clone_options(args));
  if (!cancelled) {
    // Said already, where the error was found before anything was begun.
    if (!error.is_unchanged() || clone.target_changed() || clone.roles_made() > 0)
      log.error(fmt::format("failed; {}", state));
    return exit_code_for(error);
  }
  log.warning(fmt::format("cancelled; {}", state));
  return SignalsCancel::exit_code();
}

bool differs(const pipeline::CloneSummary& summary) {
  return std::any_of(summary.failed.begin(), summary.failed.end(),
                     [](const auto& failed) { return failed.error.kind() == ErrorKind::kMismatch; });
}

int report_summary(const pipeline::CloneSummary& summary, const CloneArguments& args, Console& console) {
  std::fputs((args.json ? summary_json(summary) : summary_text(summary)).c_str(), stdout);
  std::fflush(stdout);
  if (summary.complete()) return kExitSuccess;
  Log(console).error(fmt::format("finished, but {} missing; the first: {}",
                                 counted(summary.failed.size() + summary.left_out.size(), "object is", "objects are"),
                                 describe(summary.failed.front().error)));
  return differs(summary) ? kExitDifferent : kExitIncomplete;
}

int exit_code_for(const pipeline::ServerSummary& summary) {
  if (summary.complete()) return kExitSuccess;
  if (summary.cancelled) return SignalsCancel::exit_code();
  const bool different = std::any_of(summary.databases.begin(), summary.databases.end(),
                                     [](const auto& database) { return differs(database.summary); });
  if (different) return kExitDifferent;
  const bool none_ended =
      !summary.databases.empty() && std::all_of(summary.databases.begin(), summary.databases.end(),
                                                [](const auto& database) { return database.error.has_value(); });
  if (!none_ended) return kExitIncomplete;
  // Databases after the first failure were only cancelled for it.
  for (const pipeline::DatabaseResult& database : summary.databases) {
    if (database.error->kind() != ErrorKind::kCancelled) return tools::exit_code_for(*database.error);
  }
  return kExitIncomplete;
}

int run_server_clone(const CloneArguments& args, Console& console) {
  const Log log(console);
  pipeline::ServerClone clone(clone_options(args), console);
  const SignalsCancel signals([&clone] { clone.cancel(); });
  try {
    if (args.dry_run) {
      const std::vector<pipeline::PlannedDatabase> plan = clone.plan();
      std::fputs((args.json ? server_plan_json(plan) : server_plan_text(plan)).c_str(), stdout);
      return kExitSuccess;
    }
    pipeline::ServerSummary summary;
    {
      const ProgressDisplay display(console, progress_style(args.progress, args.log),
                                    [&clone] { return clone.progress(); });
      summary = clone.run();
    }
    std::fputs((args.json ? server_summary_json(summary) : server_summary_text(summary)).c_str(), stdout);
    std::fflush(stdout);
    if (summary.cancelled) {
      log.warning("cancelled; run the same command with --resume to go on");
    } else if (!summary.complete()) {
      log.error("finished, but not all databases are complete: run the same command with --resume to go on");
    }
    return exit_code_for(summary);
  } catch (const Error& error) {
    if (args.json) std::fputs(error_json(error, false).c_str(), stdout);
    if (error.kind() == ErrorKind::kCancelled) {
      log.warning("cancelled before a database was begun");
      return SignalsCancel::exit_code();
    }
    log.error(error);
    return tools::exit_code_for(error);
  }
}

int run_one_clone(const CloneArguments& args, Console& console) {
  Clone clone(clone_options(args), console);
  const SignalsCancel signals([&clone] { clone.cancel(); });
  try {
    if (args.dry_run) {
      const pipeline::ClonePlan plan =
          args.sample_for > 0 ? clone.plan_and_estimate(std::chrono::seconds(args.sample_for)) : clone.plan();
      std::fputs((args.json ? plan_json(plan) : plan_text(plan)).c_str(), stdout);
      return kExitSuccess;
    }
    pipeline::CloneSummary summary;
    {
      const ProgressDisplay display(console, progress_style(args.progress, args.log),
                                    [&clone] { return clone.progress(); });
      summary = clone.run();
    }
    return report_summary(summary, args, console);
  } catch (const Error& error) {
    return report_error(error, clone, args, console);
  }
}

}  // namespace

int run_clone(const CloneArguments& args) {
  return run_reporting(args.log, [&args](Console& console) {
    note_change_data_capture(Log(console));
    try {
      const pipeline::CloneOptions options = clone_options(args);
      if (options.source.empty() && options.target.empty() && options.archive.empty() &&
          !options.definitions_from_work_folder) {
        throw Error(ErrorKind::kUsage, "neither source nor target was given")
            .hint("give --source and --target, or set PGSLUICE_SOURCE_PGURI and PGSLUICE_TARGET_PGURI");
      }
      return args.all_databases ? run_server_clone(args, console) : run_one_clone(args, console);
    } catch (const Error& error) {
      // An error of the options, before there is a clone.
      if (args.json) std::fputs(error_json(error, false).c_str(), stdout);
      throw;
    }
  });
}

void add_clone_options(CLI::App& command, CloneArguments& args) {
  for (const SettingGroup group :
       {SettingGroup::kConnections, SettingGroup::kRows, SettingGroup::kBuilds, SettingGroup::kRuns}) {
    add_settings(command, args, group);
  }
  command
      .add_flag("--all-databases", args.all_databases,
                "All databases of the server that are no templates; they are made where they are not there")
      ->group("Work");
  command
      .add_flag(
          "--dry-run", args.dry_run,
          "Print the plan and what it would take, and change nothing: rows are copied as a sample, in transactions"
          " that are rolled back")
      ->group("Work");
  command
      .add_option("--sample-for", args.sample_for,
                  "Seconds for which --dry-run measures both servers (3); 0: it only plans, and loads no rows")
      ->check(whole_number(0, 600))
      ->group("Work");
  for (const SettingGroup group : {SettingGroup::kOmissions, SettingGroup::kRolesFirst, SettingGroup::kRoles,
                                   SettingGroup::kLargeObjects, SettingGroup::kVacuum, SettingGroup::kProperties}) {
    add_settings(command, args, group);
  }
  add_output_options(command, args);
  refuse_change_data_capture(command);
}

void add_clone_command(CLI::App& app, int& exit_code) {
  constexpr const char* kDescription = "Clone a whole database into another, empty one";
  const auto set_up = [&exit_code](CLI::App& command) {
    command.footer(kCloneFooter);
    auto args = std::make_shared<CloneArguments>();
    add_clone_options(command, *args);
    command.callback([args, &exit_code] { exit_code = run_clone(*args); });
  };
  CLI::App* clone = app.add_subcommand("clone", kDescription);
  clone->alias("fork");
  set_up(*clone);
  CLI::App* copy = app.add_subcommand("copy", "Copy a part of a database, or all of it");
  copy->require_subcommand(1)->footer(
      "Example:\n  pgsluice copy table-data --source postgresql://me@old/shop --target postgresql://me@new/shop");
  set_up(*copy->add_subcommand("db", kDescription));
}

}  // namespace pgsluice::tools
