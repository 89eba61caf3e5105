#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/file_descriptor.h"
#include "store/tar_stream.h"
#include "tools/pgsluice/archive_stream.h"
#include "tools/pgsluice/clone_arguments.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/running.h"
#include "tools/pgsluice/signals.h"

namespace pgsluice::tools {

namespace {

using pipeline::SettingGroup;

constexpr const char* kFooter =
    "Examples:\n"
    "  pgsluice archive restore --from /mnt/disk/shop --target postgresql://me@new/shop\n"
    "  pgsluice archive restore --from shop.dump --target postgresql://me@new/shop --table-jobs 8 --no-owner\n"
    "  pgsluice archive restore --from /mnt/disk/shop --target … --verify     reads the rows back and compares them\n"
    "  pgsluice archive restore --from /mnt/disk/shop --target … --resume     goes on where that was interrupted\n"
    "  pgsluice archive restore --from /mnt/disk/shop --target … --dry-run    the plan, and nothing is changed\n"
    "  pg_dump -Fc shop | pgsluice archive restore --from - --target postgresql://me@new/shop\n"
    "  pgsluice archive restore --all-databases --roles --from /mnt/disk/old --target postgresql://postgres@new\n"
    "\n"
    "The archive is one of 'pgsluice archive create', or one that pg_dump has written: a folder (--format=directory) "
    "or\n"
    "a file (--format=custom), of PostgreSQL 10 to 18. The target database exists and is empty; the roles that own "
    "its\n"
    "objects exist.\n"
    "\n"
    "Each piece of an archive of pgsluice is compared with what the source sent before it reaches the target, and "
    "each\n"
    "table with the number of its rows. Of other archives only the rows that are in them are counted.\n"
    "\n"
    "Exit codes: 0 complete, 1 arguments, 2 the archive cannot be read, 3 work directory, 7 target, 12 internal,\n"
    "21 rows differ, 22 finished with something missing, 130/143 cancelled.";

// The stream is kept on the disk: tables of an archive are read in another order than they stand in it.
int restore_stream(const CloneArguments& args) {
  return run_reporting(args.log, [&](Console& console) {
    const TemporaryFolder spool;
    CloneArguments of_spool = args;
    {
      CancelSource cancel;
      const SignalsCancel signals([&cancel] { cancel.cancel(); });
      Log(console).info(fmt::format("the archive is received into {}", spool.path().string()));
      of_spool.options.archive = store::receive_archive(STDIN_FILENO, spool.path(), cancel.token());
    }
    return run_clone(of_spool);
  });
}

}  // namespace

void add_archive_restore_command(CLI::App& archive, int& exit_code) {
  CLI::App* command = archive.add_subcommand("restore", "Restore an archive of pgsluice or pg_dump into a database");
  command->footer(kFooter);
  auto args = std::make_shared<CloneArguments>();
  command
      ->add_option_function<std::string>(
          "--from", [args](const std::string& path) { args->options.archive = path; },
          "The archive, a folder or a file; -: standard input, as it comes from archive create or pg_dump")
      ->required()
      ->group("Connections");
  // These are about a source that is a server.
  const std::set<std::string> of_servers = {
      "source",          "pg-bindir", "snapshot",           "not-consistent",       "copy-format",
      "use-copy-binary", "transport", "skip-split-by-ctid", "estimate-table-sizes", "skip-analyze"};
  for (const SettingGroup group : {SettingGroup::kConnections, SettingGroup::kRows, SettingGroup::kBuilds,
                                   SettingGroup::kRuns, SettingGroup::kRolesFirst, SettingGroup::kOmissions,
                                   SettingGroup::kLargeObjects, SettingGroup::kVacuum, SettingGroup::kProperties}) {
    add_settings(*command, *args, group, nullptr, of_servers);
  }
  command
      ->add_flag("--all-databases", args->all_databases,
                 "Each database of the archive into one of its name, which is made where it is missing")
      ->group("Work");
  command->add_flag("--dry-run", args->dry_run, "Print the plan and change nothing")->group("Work");
  add_output_options(*command, *args);
  command->callback([args, &exit_code] {
    exit_code = is_stream(args->options.archive.string()) ? restore_stream(*args) : run_clone(*args);
  });
}

}  // namespace pgsluice::tools
