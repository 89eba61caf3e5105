#include "tools/pgsluice/clone_arguments.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <map>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/environment.h"
#include "tools/pgsluice/option_values.h"

namespace pgsluice::tools {

namespace {

/// Options of a command under one head of its --help.
class OptionGroup {
 public:
  OptionGroup(CLI::App& command, const char* head) : command_(command), head_(head) {}

  template <class Value>
  CLI::Option* option(const char* names, Value& value, const char* help) {
    return command_.add_option(names, value, help)->group(head_);
  }
  CLI::Option* flag(const char* names, bool& value, const char* help) {
    return command_.add_flag(names, value, help)->group(head_);
  }

 private:
  CLI::App& command_;
  const char* head_;
};

copy::FormatWish format_wish(const CloneArguments& args) {
  if (args.copy_format == "text") return copy::FormatWish::kText;
  const bool binary = args.use_copy_binary || args.copy_format == "binary";
  return binary ? copy::FormatWish::kBinary : copy::FormatWish::kAuto;
}

constexpr const char* kWork = "Work";

}  // namespace

void add_connection_options(CLI::App& command, CloneArguments& args) {
  OptionGroup group(command, "Connections");
  with_environment(command, group.option("-S,--source", args.options.source, "Source database, URI or keywords"),
                   args.options.source, "SOURCE_PGURI");
  with_environment(command, group.option("-T,--target", args.options.target, "Target database, URI or keywords"),
                   args.options.target, "TARGET_PGURI");
  with_environment(command, group.option("-D,--dir", args.work_folder, "Work directory (default $TMPDIR/pgsluice)"),
                   args.work_folder, "DIR");
  group.option("--pg-bindir", args.pg_bindir, "Folder of pg_dump");
}

void add_row_options(CLI::App& command, CloneArguments& args) {
  pipeline::CloneOptions& options = args.options;
  OptionGroup group(command, kWork);
  with_environment(
      command,
      group.option("-J,--table-jobs,--jobs", options.table_jobs, "Tables copied at a time (1 to 256, default 4)")
          ->check(whole_number(1, 256)),
      options.table_jobs, "TABLE_JOBS", whole_number(1, 256));
  CLI::Option* format =
      group.option("--copy-format", args.copy_format, "auto or binary: binary wherever it is safe; text: never binary")
          ->check(one_of({"auto", "text", "binary"}));
  with_environment(command,
                   group.flag("--use-copy-binary", args.use_copy_binary, "--copy-format binary")->excludes(format),
                   args.use_copy_binary, "USE_COPY_BINARY");
  with_environment(command,
                   group.option("--split-tables-larger-than,--split-at", args.split_larger_than,
                                "auto, a size such as \"10 GB\", or 0 for never"),
                   args.split_larger_than, "SPLIT_TABLES_LARGER_THAN", split_size());
  with_environment(command,
                   group.option("--split-max-parts", args.split_max_parts, "Parts of one table at most (0: no limit)")
                       ->check(whole_number(0)),
                   args.split_max_parts, "SPLIT_MAX_PARTS");
  with_environment(command, group.flag("--skip-split-by-ctid", args.skip_split_by_ctid, "Split only by integer keys"),
                   args.skip_split_by_ctid, "SKIP_CTID_SPLIT");
  group.option("--transport", args.transport, "auto, io_uring, poll or libpq: how rows cross this process")
      ->check(one_of({"auto", "io_uring", "poll", "libpq"}));
  group
      .option("--toast-compression", args.toast_compression,
              "auto (lz4 where the target has it) or source (as the source's default)")
      ->check(one_of({"auto", "source"}));
  with_environment(
      command,
      group.flag("--estimate-table-sizes", options.analyze_source, "Run ANALYZE on the source first, for its sizes"),
      options.analyze_source, "ESTIMATE_TABLE_SIZES");
  with_environment(
      command, group.flag("--skip-analyze", args.skip_analyze, "Do not, whatever PGCOPYDB_ESTIMATE_TABLE_SIZES says"),
      args.skip_analyze, "SKIP_ANALYZE");
  group.flag("--verify", options.verify, "Read the target's rows back and compare them with what the source sent");
}

void add_build_options(CLI::App& command, CloneArguments& args) {
  OptionGroup group(command, kWork);
  with_environment(command,
                   group
                       .option("-I,--index-jobs", args.options.index_jobs,
                               "Indexes and constraints built at a time (1 to 256, default 4)")
                       ->check(whole_number(1, 256)),
                   args.options.index_jobs, "INDEX_JOBS", whole_number(1, 256));
  with_environment(command,
                   group
                       .option("--restore-jobs", args.restore_jobs,
                               "Taken as pgcopydb does; definitions use the sessions of --index-jobs")
                       ->check(whole_number(1, 256)),
                   args.restore_jobs, "RESTORE_JOBS");
  with_environment(command,
                   group
                       .option("--large-objects-jobs", args.large_objects_jobs,
                               "Taken as pgcopydb does; large objects cross in bulk on a session of --table-jobs")
                       ->check(whole_number(1, 256)),
                   args.large_objects_jobs, "LARGE_OBJECTS_JOBS");
  group.option("--memory", args.memory,
               "For all index builds together, such as \"4 GB\" (default: by the target's settings)");
  group.flag("--allow-orphans", args.options.allow_orphans,
             "A foreign key with rows that have no parent is only a warning");
}

void add_run_options(CLI::App& command, CloneArguments& args) {
  OptionGroup group(command, kWork);
  CLI::Option* resume = group.flag("--resume", args.resume, "Go on where an earlier run into the target has ended");
  group.flag("--restart", args.restart, "Forget an earlier run into the target")->excludes(resume);
  group.flag("--not-consistent", args.options.not_consistent,
             "Go on although the source has changed: tables show different moments then");
  with_environment(
      command, group.option("--snapshot", args.options.snapshot, "A snapshot that another session of the source holds"),
      args.options.snapshot, "SNAPSHOT");
  group
      .option("--retry-for", args.retry_for,
              "When the connection is lost, give up this many seconds after the last success (300)")
      ->check(whole_number(0));
  group
      .flag("--no-ledger", args.no_ledger,
            "No schema pgsluice on the target while this runs: it cannot be resumed then")
      ->excludes(resume);
  with_environment(command, group.flag("--fail-fast", args.fail_fast, "Stop at the first failed object"),
                   args.fail_fast, "FAIL_FAST");
  group.option("--trace-file", args.trace_file, "Write what each worker did and waited for (https://ui.perfetto.dev)");
}

void add_role_options(CLI::App& command, CloneArguments& args, const char* head) {
  command
      .add_flag("--no-role-passwords", args.no_role_passwords,
                "Roles get no passwords, which only a superuser may read")
      ->group(head);
}

void add_leaving_out_options(CLI::App& command, CloneArguments& args) {
  OptionGroup group(command, "Leaving out");
  group.option("--filters,--filter", args.filters,
               "File that names what is left out, or what alone is copied (docs/filters.md)");
  with_environment(command,
                   group.flag("--drop-if-exists", args.options.drop_if_exists,
                              "Drop what the target has of that which is made, truncate tables that hold rows"),
                   args.options.drop_if_exists, "DROP_IF_EXISTS");
  group.flag("--no-owner", args.no_owner, "Objects belong to the target's user");
  group.flag("--no-acl", args.no_acl, "No privileges (GRANT, REVOKE)");
  group.flag("--no-comments", args.no_comments, "No comments");
  with_environment(command,
                   group.flag("--no-tablespaces", args.no_tablespaces, "Everything into the default tablespace"),
                   args.no_tablespaces, "SKIP_TABLESPACES");
  group.flag("--skip-extensions", args.skip_extensions,
             "No extensions: those that are needed have to be on the target");
  group.option("--requirements", args.requirements,
               "File that names versions of extensions (list extensions --requirements --json)");
  group.flag("--skip-ext-comments,--skip-ext-comment", args.skip_ext_comments, "No comments on extensions");
  group.flag("--skip-collations", args.skip_collations,
             "No collations: those that are needed have to be on the target");
}

void add_vacuum_option(CLI::App& command, CloneArguments& args) {
  with_environment(
      command,
      OptionGroup(command, "Leaving out").flag("--skip-vacuum", args.skip_vacuum, "No VACUUM ANALYZE on the target"),
      args.skip_vacuum, "SKIP_VACUUM");
}

void add_whole_clone_options(CLI::App& command, CloneArguments& args) {
  OptionGroup group(command, "Leaving out");
  group.flag("--skip-large-objects,--skip-blobs", args.skip_large_objects, "No large objects");
  add_vacuum_option(command, args);
  with_environment(command,
                   group.flag("--skip-db-properties", args.skip_db_properties,
                              "No owner, settings, privileges of the database itself"),
                   args.skip_db_properties, "SKIP_DB_PROPERTIES");
}

void add_output_options(CLI::App& command, CloneArguments& args) {
  OptionGroup group(command, "Output");
  group.option("--progress", args.progress, "auto, bar, lines, json or none")
      ->check(one_of({"auto", "bar", "lines", "json", "none"}));
  group.flag("--json", args.json, "The summary or the plan as one JSON document");
  add_log_options(command, args.log);
}

pipeline::CloneOptions clone_options(const CloneArguments& args) {
  pipeline::CloneOptions options = args.options;
  options.work_folder = work_folder(args.work_folder);
  if (!args.pg_bindir.empty()) options.pg_bindir = args.pg_bindir;
  options.format = format_wish(args);
  options.split = parse_split(args.split_larger_than, args.split_max_parts, !args.skip_split_by_ctid);
  static const std::map<std::string, copy::Transport> kTransports = {{"auto", copy::Transport::kAuto},
                                                                     {"io_uring", copy::Transport::kIoUring},
                                                                     {"poll", copy::Transport::kPoll},
                                                                     {"libpq", copy::Transport::kLibpq}};
  options.transport = kTransports.at(args.transport);
  if (args.toast_compression == "source") options.toast_compression = pipeline::ToastCompression::kSource;
  if (!args.memory.empty()) options.index_memory = parse_bytes(args.memory);
  if (!args.trace_file.empty()) options.trace_file = args.trace_file;
  if (!args.filters.empty()) options.filters = schema::read_filter_rules(args.filters);
  if (!args.requirements.empty()) options.extension_versions = schema::read_requirements(args.requirements);
  options.role_passwords = !args.no_role_passwords;
  options.analyze_source = options.analyze_source && !args.skip_analyze;
  if (args.skip_extensions && (options.filters.has(schema::FilterSection::kIncludeOnlyExtension))) {
    throw Error(ErrorKind::kUsage, "--skip-extensions and a filter's [include-only-extension] exclude one another");
  }
  if (args.resume) options.earlier_run = pipeline::EarlierRun::kResume;
  if (args.restart) options.earlier_run = pipeline::EarlierRun::kForget;
  options.retry_for = std::chrono::seconds(args.retry_for);
  options.ledger = !args.no_ledger;
  options.restore.owners = !args.no_owner;
  options.restore.acls = !args.no_acl;
  options.restore.comments = !args.no_comments;
  options.restore.tablespaces = !args.no_tablespaces;
  options.restore.extension_comments = !args.skip_ext_comments;
  options.restore.collations = !args.skip_collations;
  options.extensions = !args.skip_extensions;
  options.large_objects = !args.skip_large_objects;
  options.statistics = !args.skip_vacuum;
  options.database_properties = !args.skip_db_properties;
  if (args.fail_fast) options.on_failure = pipeline::FailurePolicy::kStopAtFirst;
  return options;
}

std::filesystem::path work_folder(const std::string& given) {
  if (!given.empty()) return given;
  // It is made with its parents where it is missing.
  const char* given_temporary = std::getenv("TMPDIR");
  const bool is_given = given_temporary != nullptr && *given_temporary != '\0';
  const std::filesystem::path temporary = is_given ? given_temporary : "/tmp";
  // A name of its own where the command is called by another one (-DPGSLUICE_PGCOPYDB_ALIAS=ON).
  return temporary / (std::string_view(program_invocation_short_name) == "pgcopydb" ? "pgcopydb" : "pgsluice");
}

}  // namespace pgsluice::tools
