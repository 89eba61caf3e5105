#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/file_descriptor.h"
#include "base/printable.h"
#include "pgsluice/archive.h"
#include "pgsluice/error.h"
#include "pgsluice/server_archive.h"
#include "pipeline/settings.h"
#include "store/tar_stream.h"
#include "tools/pgsluice/archive_report.h"
#include "tools/pgsluice/archive_stream.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/environment.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/option_values.h"
#include "tools/pgsluice/progress_display.h"
#include "tools/pgsluice/running.h"

namespace pgsluice::tools {

namespace {

constexpr int kMaxReaders = 256;
constexpr int kMaxRetry = 86'400;  // s

constexpr const char* kArchiveCreateFooter =
    "Examples:\n"
    "  pgsluice archive create --source postgresql://me@old/shop --to /mnt/disk/shop\n"
    "  pgsluice archive create --source postgresql://me@old/shop --to shop --table-jobs 8 --compress zstd:9\n"
    "  pgsluice archive create --source … --to shop --resume     goes on where that was interrupted\n"
    "  pgsluice archive create --source … --to shop --dry-run    what would be read, and nothing is written\n"
    "  pgsluice archive create --all-databases --roles --source postgresql://postgres@old --to /mnt/disk/old\n"
    "  pgsluice archive create --source … --to - | ssh new pgsluice archive restore --from - --target …\n"
    "  pgsluice archive create --source … --to 'aws s3 cp - s3://backups/shop/%f'     one command for each file\n"
    "  pg_restore --jobs 4 --dbname postgresql://me@new/shop shop\n"
    "\n"
    "The archive is a folder as pg_dump --format=directory writes it, of one snapshot. pg_restore reads it: of version "
    "16\n"
    "or later if it is compressed by zstd. docs/archive.md tells more.\n"
    "\n"
    "An archive that was interrupted goes on with --resume, if the source still shows what is in it already. A stream\n"
    "(--to -, or a command) needs room for the tables that are being read, in TMPDIR, and cannot be resumed.\n"
    "\n"
    "Exit codes: 0 the archive is complete and on disk, 1 arguments, 2 configuration (no pg_dump, a full disk), 3 the\n"
    "folder is not empty, or the source has changed since the archive was begun, 6 source, 12 internal, 22 databases\n"
    "are missing, 130/143 cancelled.";

struct CreateArguments {
  pipeline::ArchiveOptions options;
  std::string folder;
  std::string split_larger_than = "auto";
  std::string max_rate;
  std::string filters;
  std::string pg_bindir;
  std::string progress = "auto";
  int retry = 300;
  std::vector<std::string> excluded;
  bool all_databases = false;
  bool dry_run = false;
  bool skip_large_objects = false;
  bool skip_extensions = false;
  bool no_role_passwords = false;
  bool json = false;
  LogOptions log;
};

pipeline::ArchiveOptions archive_options(const CreateArguments& args) {
  pipeline::ArchiveOptions options = args.options;
  options.folder = args.folder;
  options.split = pipeline::parse_split(args.split_larger_than);
  if (!args.max_rate.empty()) options.max_rate = parse_bytes(args.max_rate);
  options.large_objects = !args.skip_large_objects;
  options.extensions = !args.skip_extensions;
  options.role_passwords = !args.no_role_passwords;
  options.retry_for = std::chrono::seconds(args.retry);
  if (!args.filters.empty()) options.filters = schema::read_filter_rules(args.filters);
  if (!args.pg_bindir.empty()) options.pg_bindir = args.pg_bindir;
  return options;
}

pipeline::ArchiveSummary run_with_progress(pipeline::ArchiveCreation& creation, const CreateArguments& args,
                                           Console& console) {
  const ProgressDisplay display(console, progress_style(args.progress, args.log),
                                [&creation] { return creation.progress(); });
  return creation.run();
}

void print_summary(const pipeline::ArchiveSummary& summary, const CreateArguments& args, std::FILE* out) {
  std::fputs((args.json ? archive_summary_json(summary)
                        : archive_summary_text(summary, is_stream(args.folder) ? "the stream" : args.folder))
                 .c_str(),
             out);
}

// Standard output is the archive.
int create_into_stream(const CreateArguments& args, Console& console, const CancelToken& cancel) {
  if (::isatty(STDOUT_FILENO) == 1) {
    throw Error(ErrorKind::kUsage, "an archive is not written to a terminal").hint("redirect it, or give a folder");
  }
  const TemporaryFolder spool;
  store::TarWriter tar(STDOUT_FILENO, cancel);
  std::mutex one_at_a_time;
  pipeline::ArchiveOptions options = archive_options(args);
  options.folder = spool.path() / "archive";
  options.hand_on = [&](const std::string& name, const std::filesystem::path& file) {
    const std::lock_guard lock(one_at_a_time);
    tar.add(name, file);
  };
  pipeline::ArchiveCreation creation(std::move(options), console, cancel);
  const pipeline::ArchiveSummary summary = run_with_progress(creation, args, console);
  tar.finish();
  print_summary(summary, args, stderr);
  return kExitSuccess;
}

int create_by_command(const CreateArguments& args, Console& console, const CancelToken& cancel) {
  const TemporaryFolder spool;
  pipeline::ArchiveOptions options = archive_options(args);
  options.folder = spool.path() / "archive";
  options.hand_on = [&](const std::string& name, const std::filesystem::path& file) {
    run_for_file(args.folder, name, file, cancel);
  };
  pipeline::ArchiveCreation creation(std::move(options), console, cancel);
  print_summary(run_with_progress(creation, args, console), args, stdout);
  return kExitSuccess;
}

int create_one(const CreateArguments& args, Console& console, const CancelToken& cancel) {
  if (!args.dry_run && is_stream(args.folder)) return create_into_stream(args, console, cancel);
  if (!args.dry_run && is_command(args.folder)) return create_by_command(args, console, cancel);
  pipeline::ArchiveCreation creation(archive_options(args), console, cancel);
  try {
    if (args.dry_run) {
      const pipeline::ArchivePlan plan = creation.plan();
      std::fputs((args.json ? archive_plan_json({plan}) : archive_plan_text({plan})).c_str(), stdout);
      return kExitSuccess;
    }
    print_summary(run_with_progress(creation, args, console), args, stdout);
    return kExitSuccess;
  } catch (const Error& error) {
    // Another source, other options and the like would be refused again.
    if (!creation.is_left() || error.kind() == ErrorKind::kState) throw;
    const int code = report_error(error, console);
    Log(console).warning(
        fmt::format("{} holds a part of the archive: run the same command with --resume to go on, or remove the folder",
                    printable(args.folder, LineEnds::kEscaped)));
    return code;
  }
}

int create_all(const CreateArguments& args, Console& console, const CancelToken& cancel) {
  if (is_stream(args.folder) || is_command(args.folder)) {
    throw Error(ErrorKind::kUsage, "the archives of several databases need a folder").hint("give one, or one database");
  }
  pipeline::ServerArchiveCreation creation(archive_options(args), console, cancel, args.excluded);
  if (args.dry_run) {
    const std::vector<pipeline::ArchivePlan> plans = creation.plan();
    std::fputs((args.json ? archive_plan_json(plans) : archive_plan_text(plans)).c_str(), stdout);
    return kExitSuccess;
  }
  pipeline::ServerArchiveSummary summary;
  {
    const ProgressDisplay display(console, progress_style(args.progress, args.log),
                                  [&creation] { return creation.progress(); });
    summary = creation.run();
  }
  std::fputs((args.json ? server_archive_summary_json(summary) : server_archive_summary_text(summary)).c_str(), stdout);
  if (summary.complete()) return kExitSuccess;
  std::fflush(stdout);
  Log(console).error("finished, but not all databases are in the archive: run the same command with --resume to go on");
  return kExitIncomplete;
}

int run_create(const CreateArguments& args) {
  return run_cancellable(args.log, [&](Console& console, const CancelToken& cancel) -> int {
    return args.all_databases ? create_all(args, console, cancel) : create_one(args, console, cancel);
  });
}

void add_omissions(CLI::App& command, CreateArguments& args) {
  command.add_option("--filters,--filter", args.filters, "Filter file (docs/filters.md)");
  command.add_flag("--skip-large-objects,--skip-blobs", args.skip_large_objects, "No large objects");
  command.add_flag("--skip-extensions", args.skip_extensions, "No extensions");
  command.add_flag("--roles", args.options.roles, "The server's roles too, in globals.sql");
  command.add_flag("--no-role-passwords", args.no_role_passwords,
                   "Roles without passwords, which only a superuser may read");
}

}  // namespace

void add_archive_create_command(CLI::App& archive, int& exit_code) {
  CLI::App* command = archive.add_subcommand("create", "Write a database into a folder that pg_restore reads");
  command->footer(kArchiveCreateFooter);
  auto args = std::make_shared<CreateArguments>();
  with_environment(*command,
                   command->add_option("-S,--source", args->options.source, "Source database, URI or keywords"),
                   args->options.source, "SOURCE_PGURI");
  command
      ->add_option("--to", args->folder,
                   "The folder; made if it is missing, else it must be empty. -: standard output, as a tar. A command "
                   "with %f: gets each file")
      ->required();
  with_environment(*command,
                   command
                       ->add_option("-J,--table-jobs,--jobs", args->options.table_jobs,
                                    "Tables, or parts of them, read at a time (4)")
                       ->check(whole_number(1, kMaxReaders)),
                   args->options.table_jobs, "TABLE_JOBS");
  command->add_option("--compress-jobs", args->options.compress_jobs, "Threads that compress (as many as processors)")
      ->check(whole_number(1, kMaxReaders));
  command->add_option("-Z,--compress", args->options.compression, "zstd[:1-19] (zstd:3), auto, gzip[:1-9] or none");
  with_environment(*command,
                   command->add_option("--split-tables-larger-than,--split-at", args->split_larger_than,
                                       "auto, a size such as \"10 GB\", or 0 for never"),
                   args->split_larger_than, "SPLIT_TABLES_LARGER_THAN");
  with_environment(*command,
                   command->add_option("--max-rate", args->max_rate,
                                       "Rows and large objects read in a second at most, such as \"50 MB\""),
                   args->max_rate, "MAX_RATE");
  command->add_flag("--all-databases", args->all_databases,
                    "All databases of the server that are no templates, in a folder for each");
  command->add_option("--exclude-database", args->excluded, "Of these none; may be given several times")
      ->needs("--all-databases");
  add_omissions(*command, *args);
  CLI::Option* snapshot =
      command->add_option("--snapshot", args->options.snapshot, "A snapshot that another session holds");
  command->add_flag("--resume", args->options.resume, "Go on with an archive that was interrupted");
  command->add_option("--retry-for", args->retry, "Seconds to retry after a lost connection (300)")
      ->check(whole_number(0, kMaxRetry));
  command->add_flag("--dry-run", args->dry_run, "Print what would be read, and write nothing");
  command->get_option("--all-databases")->excludes(snapshot);
  command->add_option("--pg-bindir", args->pg_bindir, "Folder of pg_dump");
  command->add_option("--progress", args->progress, "auto, bar, lines, json or none")
      ->check(one_of({"auto", "bar", "lines", "json", "none"}));
  command->add_flag("--json", args->json, "The summary or the plan as one JSON document");
  add_log_options(*command, args->log);
  command->callback([args, &exit_code] { exit_code = run_create(*args); });
}

}  // namespace pgsluice::tools
