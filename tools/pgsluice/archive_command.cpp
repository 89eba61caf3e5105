#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "base/counted.h"
#include "pgsluice/archive.h"
#include "pgsluice/error.h"
#include "pipeline/settings.h"
#include "store/manifest.h"
#include "store/verification.h"
#include "tools/pgsluice/archive_report.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/environment.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/option_values.h"
#include "tools/pgsluice/progress_display.h"
#include "tools/pgsluice/running.h"

namespace pgsluice::tools {

namespace {

constexpr int kMaxJobs = 256;

constexpr const char* kCreateFooter =
    "Examples:\n"
    "  pgsluice archive create --source postgresql://me@old/shop --to /mnt/disk/shop\n"
    "  pgsluice archive create --source postgresql://me@old/shop --to shop --table-jobs 8 --compress zstd:9\n"
    "  pg_restore --jobs 4 --dbname postgresql://me@new/shop shop\n"
    "\n"
    "The archive is a folder as pg_dump --format=directory writes it, of one snapshot. pg_restore reads it: of version "
    "16\n"
    "or later if it is compressed by zstd. docs/archive.md tells more.\n"
    "\n"
    "If it fails or is cancelled, what was written is removed.\n"
    "\n"
    "Exit codes: 0 the archive is complete and on disk, 1 arguments, 2 configuration (no pg_dump, a full disk), 3 the\n"
    "folder is not empty, 6 source, 12 internal, 130/143 cancelled.";

constexpr const char* kListFooter =
    "Examples:\n"
    "  pgsluice archive list /mnt/disk/shop\n"
    "  pgsluice archive list --json shop\n"
    "\n"
    "Exit codes: 0 done, 1 arguments, 2 it is no archive of pgsluice, or is not complete.";

constexpr const char* kVerifyFooter =
    "Examples:\n"
    "  pgsluice archive verify /mnt/disk/shop\n"
    "  pgsluice archive verify --jobs 8 shop\n"
    "\n"
    "Reads the whole archive, without a server, and compares it with what the source sent: each piece of each file, "
    "and\n"
    "the rows of each table.\n"
    "\n"
    "Exit codes: 0 it is as it was written, 1 arguments, 2 it is no archive of pgsluice, or is not complete, 21 it is\n"
    "damaged, 130/143 cancelled.";

struct CreateArguments {
  pipeline::ArchiveOptions options;
  std::string folder;
  std::string split_larger_than = "auto";
  std::string filters;
  std::string pg_bindir;
  std::string progress = "auto";
  bool skip_large_objects = false;
  bool skip_extensions = false;
  bool no_role_passwords = false;
  bool json = false;
  LogOptions log;
};

struct ReadArguments {
  std::string folder;
  int jobs = 0;
  bool json = false;
  LogOptions log;
};

int run_create(CreateArguments& args) {
  return run_cancellable(args.log, [&](Console& console, const CancelToken& cancel) -> int {
    pipeline::ArchiveOptions options = args.options;
    options.folder = args.folder;
    options.split = pipeline::parse_split(args.split_larger_than);
    options.large_objects = !args.skip_large_objects;
    options.extensions = !args.skip_extensions;
    options.role_passwords = !args.no_role_passwords;
    if (!args.filters.empty()) options.filters = schema::read_filter_rules(args.filters);
    if (!args.pg_bindir.empty()) options.pg_bindir = args.pg_bindir;
    pipeline::ArchiveCreation creation(std::move(options), console, cancel);
    pipeline::ArchiveSummary summary;
    {
      const ProgressDisplay display(console, progress_style(args.progress, args.log),
                                    [&creation] { return creation.progress(); });
      summary = creation.run();
    }
    std::fputs((args.json ? archive_summary_json(summary) : archive_summary_text(summary, args.folder)).c_str(),
               stdout);
    return kExitSuccess;
  });
}

int run_list(const ReadArguments& args) {
  return run_reporting(args.log, [&](Console&) -> int {
    const store::Manifest manifest = store::read_manifest(args.folder);
    std::fputs((args.json ? manifest_json(args.folder) : manifest_text(manifest)).c_str(), stdout);
    return kExitSuccess;
  });
}

int run_verify(const ReadArguments& args) {
  return run_cancellable(args.log, [&](Console& console, const CancelToken& cancel) -> int {
    const int processors = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    store::VerificationProgress progress;
    const auto read_progress = [&progress] {
      pipeline::ProgressSnapshot snapshot;
      snapshot.phase = "verifying";
      snapshot.tables_done = progress.files_done;
      snapshot.tables_total = progress.files_total;
      snapshot.tasks_done = snapshot.tables_done;
      snapshot.tasks_total = snapshot.tables_total;
      snapshot.copied = {progress.bytes};
      return snapshot;
    };
    std::vector<store::Damage> found;
    {
      const ProgressDisplay display(console, progress_style("auto", args.log), read_progress);
      found = store::verify_archive(args.folder, args.jobs > 0 ? args.jobs : processors, progress, cancel);
    }
    std::fputs((args.json ? damage_json(found) : damage_text(found, progress)).c_str(), stdout);
    if (found.empty()) return kExitSuccess;
    Log(console).error(fmt::format("the archive is damaged: {}", counted(found.size(), "part")));
    return kExitDifferent;
  });
}

void add_create(CLI::App& archive, int& exit_code) {
  CLI::App* command = archive.add_subcommand("create", "Write a database into a folder that pg_restore reads");
  command->footer(kCreateFooter);
  auto args = std::make_shared<CreateArguments>();
  with_environment(*command,
                   command->add_option("-S,--source", args->options.source, "Source database, URI or keywords"),
                   args->options.source, "SOURCE_PGURI");
  command->add_option("--to", args->folder, "The folder; made if it is missing, else it must be empty")->required();
  with_environment(*command,
                   command
                       ->add_option("-J,--table-jobs,--jobs", args->options.table_jobs,
                                    "Tables, or parts of them, read at a time (4)")
                       ->check(whole_number(1, kMaxJobs)),
                   args->options.table_jobs, "TABLE_JOBS");
  command->add_option("--compress-jobs", args->options.compress_jobs, "Threads that compress (as many as processors)")
      ->check(whole_number(1, kMaxJobs));
  command->add_option("-Z,--compress", args->options.compression, "zstd[:1-19] (zstd:3), gzip[:1-9] or none");
  with_environment(*command,
                   command->add_option("--split-tables-larger-than,--split-at", args->split_larger_than,
                                       "auto, a size such as \"10 GB\", or 0 for never"),
                   args->split_larger_than, "SPLIT_TABLES_LARGER_THAN");
  command->add_option("--filters,--filter", args->filters, "Filter file (docs/filters.md)");
  command->add_flag("--skip-large-objects,--skip-blobs", args->skip_large_objects, "No large objects");
  command->add_flag("--skip-extensions", args->skip_extensions, "No extensions");
  command->add_flag("--roles", args->options.roles, "The server's roles too, in globals.sql");
  command->add_flag("--no-role-passwords", args->no_role_passwords,
                    "Roles without passwords, which only a superuser may read");
  command->add_option("--snapshot", args->options.snapshot, "A snapshot that another session holds");
  command->add_option("--pg-bindir", args->pg_bindir, "Folder of pg_dump");
  command->add_option("--progress", args->progress, "auto, bar, lines, json or none")
      ->check(one_of({"auto", "bar", "lines", "json", "none"}));
  command->add_flag("--json", args->json, "The summary as one JSON document");
  add_log_options(*command, args->log);
  command->callback([args, &exit_code] { exit_code = run_create(*args); });
}

void add_reading(CLI::App* command, const std::shared_ptr<ReadArguments>& args, const char* footer) {
  command->footer(footer);
  command->add_option("folder", args->folder, "The archive")->required();
  command->add_flag("-J,--json", args->json, "One JSON document on standard output");
  add_log_options(*command, args->log);
}

}  // namespace

void add_archive_commands(CLI::App& app, int& exit_code) {
  CLI::App* archive = app.add_subcommand("archive", "A database in a folder, for servers that do not meet");
  archive->require_subcommand(1)->footer(
      "Example:\n  pgsluice archive create --source postgresql://me@old/shop --to /mnt/disk/shop");
  add_create(*archive, exit_code);
  add_archive_restore_command(*archive, exit_code);

  auto list_args = std::make_shared<ReadArguments>();
  CLI::App* list = archive->add_subcommand("list", "What is in an archive, by its manifest");
  add_reading(list, list_args, kListFooter);
  list->callback([list_args, &exit_code] { exit_code = run_list(*list_args); });

  auto verify_args = std::make_shared<ReadArguments>();
  CLI::App* verify = archive->add_subcommand("verify", "Whether an archive is as it was written");
  add_reading(verify, verify_args, kVerifyFooter);
  verify->add_option("--jobs", verify_args->jobs, "Files read at a time (as many as processors)")
      ->check(whole_number(1, kMaxJobs));
  verify->callback([verify_args, &exit_code] { exit_code = run_verify(*verify_args); });
}

}  // namespace pgsluice::tools
