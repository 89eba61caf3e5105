#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "pgsluice/base/error.h"
#include "pgsluice/commands.h"
#include "pgsluice/console.h"
#include "pgsluice/environment.h"
#include "pgsluice/exit_code.h"
#include "pgsluice/pipeline/clone.h"
#include "pgsluice/progress_display.h"
#include "pgsluice/report.h"
#include "pgsluice/signals.h"

namespace pgsluice::tools {

namespace {

using pipeline::Clone;

struct CloneArguments {
  pipeline::CloneOptions options;
  std::string work_folder;
  std::string pg_bindir;
  std::string copy_format = "auto";
  bool use_copy_binary = false;
  std::string split_larger_than = "auto";
  int split_max_parts = 0;
  bool skip_split_by_ctid = false;
  std::string transport = "auto";
  std::string toast_compression = "auto";
  std::string memory;
  std::string trace_file;
  bool resume = false;
  bool restart = false;
  bool no_ledger = false;
  int retry_for = 300;
  bool no_owner = false;
  bool no_acl = false;
  bool no_comments = false;
  bool no_tablespaces = false;
  bool skip_ext_comments = false;
  bool skip_large_objects = false;
  bool skip_vacuum = false;
  bool skip_db_properties = false;
  bool fail_fast = false;
  bool dry_run = false;
  bool json = false;
  LogOptions log;
  std::string progress = "auto";
};

constexpr const char* kFooter =
    "Examples:\n"
    "  pgsluice clone --source postgresql://me@old/shop --target postgresql://me@new/shop\n"
    "  pgsluice clone --source 'host=old dbname=shop' --target 'host=new dbname=shop' --table-jobs 8\n"
    "  pgsluice clone --split-tables-larger-than '10 GB' --memory '8 GB' --trace-file run.json\n"
    "  pgsluice clone --resume           goes on after an interruption, with the options of the first time\n"
    "  pgsluice clone --dry-run          the plan; with PGCOPYDB_SOURCE_PGURI and PGCOPYDB_TARGET_PGURI set\n"
    "\n"
    "The target database exists and is empty; the roles that own its objects exist. Give passwords by PGPASSWORD\n"
    "or ~/.pgpass: they are never shown, but a command line is visible to others of the machine.\n"
    "\n"
    "Variables: PGSLUICE_SOURCE_PGURI, _TARGET_PGURI, _DIR, _TABLE_JOBS, _INDEX_JOBS, _FAIL_FAST, _SKIP_VACUUM,\n"
    "_SKIP_TABLESPACES, _SKIP_DB_PROPERTIES, _USE_COPY_BINARY, _SPLIT_TABLES_LARGER_THAN, _SPLIT_MAX_PARTS,\n"
    "_SKIP_CTID_SPLIT, _SNAPSHOT, _LOG_TIME_FORMAT, _LOG_JSON, _LOG_FILENAME, _LOG_JSON_FILE; each also as "
    "PGCOPYDB_…,\n"
    "where the first is not set.\n"
    "\n"
    "Exit codes: 0 all is there, 1 arguments, 2 configuration, 3 work directory, 6 source, 7 target, 12 internal,\n"
    "21 rows differ, 22 finished with something missing, 130/143 cancelled.";

void add_options(CLI::App& command, CloneArguments& args) {
  const auto group = [&](const char* name, CLI::Option* option) { option->group(name); };
  pipeline::CloneOptions& options = args.options;
  constexpr const char* kConnections = "Connections";
  group(kConnections,
        with_environment(command.add_option("-S,--source", options.source, "Source database, URI or keywords"),
                         options.source, "SOURCE_PGURI"));
  group(kConnections,
        with_environment(command.add_option("-T,--target", options.target, "Target database, URI or keywords"),
                         options.target, "TARGET_PGURI"));
  group(kConnections,
        with_environment(command.add_option("-D,--dir", args.work_folder, "Work directory (default $TMPDIR/pgsluice)"),
                         args.work_folder, "DIR"));
  group(kConnections, command.add_option("--pg-bindir", args.pg_bindir, "Folder of pg_dump"));

  constexpr const char* kWork = "Work";
  group(kWork, with_environment(command.add_option("-J,--table-jobs,--jobs", options.table_jobs,
                                                   "Tables copied at a time (1 to 256, default 4)"),
                                options.table_jobs, "TABLE_JOBS"));
  group(kWork, with_environment(command.add_option("-I,--index-jobs", options.index_jobs,
                                                   "Indexes and constraints built at a time (1 to 256, default 4)"),
                                options.index_jobs, "INDEX_JOBS"));
  group(kWork, command
                   .add_option("--copy-format", args.copy_format,
                               "auto, text or binary; both but text take binary wherever it is safe")
                   ->check(CLI::IsMember({"auto", "text", "binary"})));
  group(kWork, with_environment(command.add_flag("--use-copy-binary", args.use_copy_binary, "--copy-format binary"),
                                args.use_copy_binary, "USE_COPY_BINARY"));
  group(kWork, with_environment(command.add_option("--split-tables-larger-than,--split-at", args.split_larger_than,
                                                   "auto, a size such as \"10 GB\", or 0 for never"),
                                args.split_larger_than, "SPLIT_TABLES_LARGER_THAN"));
  group(kWork,
        with_environment(
            command.add_option("--split-max-parts", args.split_max_parts, "Parts of one table at most (0: no limit)")
                ->check(CLI::NonNegativeNumber),
            args.split_max_parts, "SPLIT_MAX_PARTS"));
  group(kWork, with_environment(
                   command.add_flag("--skip-split-by-ctid", args.skip_split_by_ctid, "Split only by integer keys"),
                   args.skip_split_by_ctid, "SKIP_CTID_SPLIT"));
  group(kWork,
        command.add_option("--transport", args.transport, "auto, io_uring, poll or libpq: how rows cross this process")
            ->check(CLI::IsMember({"auto", "io_uring", "poll", "libpq"})));
  group(kWork, command
                   .add_option("--toast-compression", args.toast_compression,
                               "auto (lz4 where the target has it) or source (as the source's default)")
                   ->check(CLI::IsMember({"auto", "source"})));
  group(kWork,
        command.add_option("--memory", args.memory,
                           "For all index builds together, such as \"4 GB\" (default: by the target's settings)"));
  group(kWork, command.add_flag("--allow-orphans", options.allow_orphans,
                                "A foreign key with rows that have no parent is only a warning"));
  group(kWork, command.add_option("--trace-file", args.trace_file,
                                  "Write what each worker did and waited for (https://ui.perfetto.dev)"));
  group(kWork, command.add_flag("--dry-run", args.dry_run, "Print the plan and change nothing"));
  CLI::Option* resume =
      command.add_flag("--resume", args.resume, "Go on where an earlier clone into the target has ended");
  group(kWork, resume);
  group(kWork,
        command.add_flag("--restart", args.restart, "Forget an earlier clone into the target")->excludes(resume));
  group(kWork, command
                   .add_flag("--not-consistent", options.not_consistent,
                             "Resume although the source has changed: tables show different moments then")
                   ->needs(resume));
  group(kWork, command.add_flag("--verify", options.verify,
                                "Read the target's rows back and compare them with what the source sent"));
  group(kWork, with_environment(command.add_option("--snapshot", options.snapshot,
                                                   "A snapshot that another session of the source holds"),
                                options.snapshot, "SNAPSHOT"));
  group(kWork, command
                   .add_option("--retry-for", args.retry_for,
                               "Seconds to try again after a lost connection, as long as nothing succeeds (300)")
                   ->check(CLI::NonNegativeNumber));
  group(kWork, command
                   .add_flag("--no-ledger", args.no_ledger,
                             "No schema pgsluice on the target while the clone runs: it cannot be resumed then")
                   ->excludes(resume));
  group(kWork, with_environment(command.add_flag("--fail-fast", args.fail_fast, "Stop at the first failed object"),
                                args.fail_fast, "FAIL_FAST"));

  constexpr const char* kLeavingOut = "Leaving out";
  group(kLeavingOut, command.add_flag("--no-owner", args.no_owner, "Objects belong to the target's user"));
  group(kLeavingOut, command.add_flag("--no-acl", args.no_acl, "No privileges (GRANT, REVOKE)"));
  group(kLeavingOut, command.add_flag("--no-comments", args.no_comments, "No comments"));
  group(kLeavingOut, with_environment(command.add_flag("--no-tablespaces", args.no_tablespaces,
                                                       "Everything into the default tablespace"),
                                      args.no_tablespaces, "SKIP_TABLESPACES"));
  group(kLeavingOut, command.add_flag("--skip-ext-comments,--skip-ext-comment", args.skip_ext_comments,
                                      "No comments on extensions"));
  group(kLeavingOut,
        command.add_flag("--skip-large-objects,--skip-blobs", args.skip_large_objects, "No large objects"));
  group(kLeavingOut,
        with_environment(command.add_flag("--skip-vacuum", args.skip_vacuum, "No VACUUM ANALYZE on the target"),
                         args.skip_vacuum, "SKIP_VACUUM"));
  group(kLeavingOut, with_environment(command.add_flag("--skip-db-properties", args.skip_db_properties,
                                                       "No owner, settings, privileges of the database itself"),
                                      args.skip_db_properties, "SKIP_DB_PROPERTIES"));

  constexpr const char* kOutput = "Output";
  group(kOutput, command.add_option("--progress", args.progress, "auto, bar, lines, json or none")
                     ->check(CLI::IsMember({"auto", "bar", "lines", "json", "none"})));
  group(kOutput, command.add_flag("--json", args.json, "The summary or the plan as one JSON document"));
  add_log_options(command, args.log);
}

ProgressStyle progress_style(const CloneArguments& args) {
  static const std::map<std::string, ProgressStyle> kStyles = {{"bar", ProgressStyle::kBar},
                                                               {"lines", ProgressStyle::kLines},
                                                               {"json", ProgressStyle::kJson},
                                                               {"none", ProgressStyle::kNone}};
  const auto named = kStyles.find(args.progress);
  if (named != kStyles.end()) return named->second;
  if (args.log.quiet) return ProgressStyle::kNone;
  return Console::is_terminal() && !args.log.json ? ProgressStyle::kBar : ProgressStyle::kLines;
}

std::filesystem::path work_folder(const CloneArguments& args) {
  if (!args.work_folder.empty()) return args.work_folder;
  std::error_code error;
  const std::filesystem::path temporary = std::filesystem::temp_directory_path(error);
  if (error) {
    throw Error(ErrorKind::kState, fmt::format("there is no temporary folder: {}", error.message()))
        .hint("set TMPDIR to a folder that is there, or give --dir");
  }
  return temporary / "pgsluice";
}

copy::SplitOptions split_options(const CloneArguments& args) {
  using When = copy::SplitOptions::When;
  copy::SplitOptions split{.most_parts = args.split_max_parts, .by_ctid = !args.skip_split_by_ctid};
  if (args.split_larger_than == "auto") return split;
  split.size = parse_bytes(args.split_larger_than);
  split.when = split.size.count == 0 ? When::kNever : When::kLarger;
  return split;
}

copy::FormatWish format_wish(const CloneArguments& args) {
  if (args.copy_format == "text") return copy::FormatWish::kText;
  const bool binary = args.use_copy_binary || args.copy_format == "binary";
  return binary ? copy::FormatWish::kBinary : copy::FormatWish::kAuto;
}

pipeline::CloneOptions clone_options(const CloneArguments& args) {
  pipeline::CloneOptions options = args.options;
  options.work_folder = work_folder(args);
  if (!args.pg_bindir.empty()) options.pg_bindir = args.pg_bindir;
  options.format = format_wish(args);
  options.split = split_options(args);
  static const std::map<std::string, copy::Transport> kTransports = {{"auto", copy::Transport::kAuto},
                                                                     {"io_uring", copy::Transport::kIoUring},
                                                                     {"poll", copy::Transport::kPoll},
                                                                     {"libpq", copy::Transport::kLibpq}};
  options.transport = kTransports.at(args.transport);
  if (args.toast_compression == "source") options.toast_compression = pipeline::ToastCompression::kSource;
  if (!args.memory.empty()) options.index_memory = parse_bytes(args.memory);
  if (!args.trace_file.empty()) options.trace_file = args.trace_file;
  if (args.resume) options.earlier_run = pipeline::EarlierRun::kResume;
  if (args.restart) options.earlier_run = pipeline::EarlierRun::kForget;
  options.retry_for = std::chrono::seconds(args.retry_for);
  options.ledger = !args.no_ledger;
  options.restore.owners = !args.no_owner;
  options.restore.acls = !args.no_acl;
  options.restore.comments = !args.no_comments;
  options.restore.tablespaces = !args.no_tablespaces;
  options.restore.extension_comments = !args.skip_ext_comments;
  options.large_objects = !args.skip_large_objects;
  options.statistics = !args.skip_vacuum;
  options.database_properties = !args.skip_db_properties;
  if (args.fail_fast) options.on_failure = pipeline::FailurePolicy::kStopAtFirst;
  return options;
}

int report_error(const Error& error, const Clone& clone, const CloneArguments& args, Console& console) {
  if (args.json) std::fputs(error_json(error, clone.target_changed()).c_str(), stdout);
  std::fflush(stdout);
  const Log log(console);
  const bool cancelled = error.kind() == ErrorKind::kCancelled;
  if (!cancelled) log.error(error.describe());
  if (error.kind() == ErrorKind::kUsage) return kExitUsage;
  const std::string_view state =
      clone.target_changed()
          ? args.no_ledger
                ? "the target holds a part of the copy: drop and create its database again, then run the same command"
                : "the target holds a part of the copy: run the same command with --resume to go on"
          : "nothing was changed on the target";
  if (!cancelled) {
    log.error(fmt::format("the clone has failed; {}", state));
    return exit_code_for(error);
  }
  log.warning(fmt::format("cancelled; {}", state));
  return SignalsCancel::exit_code();
}

int report_summary(const pipeline::CloneSummary& summary, const CloneArguments& args, Console& console) {
  std::fputs((args.json ? summary_json(summary) : summary_text(summary)).c_str(), stdout);
  std::fflush(stdout);
  if (summary.complete()) return kExitWell;
  Log(console).error(fmt::format("finished, but {} objects are missing; the first: {}",
                                 summary.failed.size() + summary.left_out.size(),
                                 summary.failed.front().error.describe()));
  const bool different = std::any_of(summary.failed.begin(), summary.failed.end(),
                                     [](const auto& failed) { return failed.error.kind() == ErrorKind::kMismatch; });
  return different ? kExitDifferent : kExitIncomplete;
}

int run_clone(const CloneArguments& args) {
  Console console(args.log);
  Clone clone(clone_options(args), console);
  const SignalsCancel signals([&clone] { clone.cancel(); });
  try {
    if (args.dry_run) {
      const pipeline::Plan& plan = clone.plan();
      std::fputs((args.json ? plan_json(plan) : plan_text(plan)).c_str(), stdout);
      return kExitWell;
    }
    pipeline::CloneSummary summary;
    {
      const ProgressDisplay display(console, progress_style(args), [&clone] { return clone.progress(); });
      summary = clone.run();
    }
    return report_summary(summary, args, console);
  } catch (const Error& error) {
    return report_error(error, clone, args, console);
  }
}

}  // namespace

void add_clone_command(CLI::App& app, int& exit_code) {
  constexpr const char* kDescription = "Clone a whole database into another, empty one";
  const auto set_up = [&exit_code](CLI::App& command) {
    command.footer(kFooter);
    auto args = std::make_shared<CloneArguments>();
    add_options(command, *args);
    command.callback([args, &exit_code] { exit_code = run_clone(*args); });
  };
  CLI::App* clone = app.add_subcommand("clone", kDescription);
  clone->alias("fork");
  set_up(*clone);
  CLI::App* copy = app.add_subcommand("copy", "Copy a part of a database, or all of it");
  copy->require_subcommand(1);
  set_up(*copy->add_subcommand("db", kDescription));
}

}  // namespace pgsluice::tools
