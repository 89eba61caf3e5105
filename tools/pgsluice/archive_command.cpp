#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "base/counted.h"
#include "pgsluice/archive_verification.h"
#include "pgsluice/error.h"
#include "store/manifest.h"
#include "store/server_manifest.h"
#include "tools/pgsluice/archive_report.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/option_values.h"
#include "tools/pgsluice/progress_display.h"
#include "tools/pgsluice/running.h"

namespace pgsluice::tools {

namespace {

constexpr int kMaxJobs = 256;

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

struct ReadArguments {
  std::string folder;
  int jobs = 0;
  bool json = false;
  LogOptions log;
};

int run_list(const ReadArguments& args) {
  return run_reporting(args.log, [&](Console&) -> int {
    if (store::holds_databases(args.folder)) {
      std::fputs((args.json ? server_manifest_json(args.folder) : server_manifest_text(args.folder)).c_str(), stdout);
      return kExitSuccess;
    }
    const store::Manifest manifest = store::read_manifest(args.folder);
    std::fputs((args.json ? manifest_json(args.folder) : manifest_text(manifest)).c_str(), stdout);
    return kExitSuccess;
  });
}

// The archives in a folder: of several databases, or the folder itself.
std::vector<std::filesystem::path> archives_in(const std::filesystem::path& folder) {
  if (!store::holds_databases(folder)) return {folder};
  std::vector<std::filesystem::path> archives;
  for (const std::string& database : store::read_server_manifest(folder).databases) {
    archives.push_back(folder / store::folder_of_database(database));
  }
  return archives;
}

std::vector<store::Damage> verify_all(const ReadArguments& args, store::VerificationProgress& progress,
                                      const CancelToken& cancel) {
  const int processors = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::vector<store::Damage> found;
  const std::vector<std::filesystem::path> archives = archives_in(args.folder);
  for (const std::filesystem::path& archive : archives) {
    for (store::Damage& damage :
         store::verify_archive(archive, args.jobs > 0 ? args.jobs : processors, progress, cancel)) {
      if (archives.size() > 1) damage.what = fmt::format("{}: {}", archive.filename().string(), damage.what);
      found.push_back(std::move(damage));
    }
  }
  return found;
}

int run_verify(const ReadArguments& args) {
  return run_cancellable(args.log, [&](Console& console, const CancelToken& cancel) -> int {
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
      found = verify_all(args, progress, cancel);
    }
    std::fputs((args.json ? damage_json(found) : damage_text(found, progress)).c_str(), stdout);
    if (found.empty()) return kExitSuccess;
    Log(console).error(fmt::format("the archive is damaged: {}", counted(found.size(), "part")));
    return kExitDifferent;
  });
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
  add_archive_create_command(*archive, exit_code);
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
