#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "pgsluice/base/error.h"
#include "pgsluice/commands.h"
#include "pgsluice/console.h"
#include "pgsluice/environment.h"
#include "pgsluice/exit_code.h"
#include "pgsluice/option_values.h"
#include "pgsluice/pipeline/data_comparison.h"
#include "pgsluice/pipeline/schema_comparison.h"
#include "pgsluice/progress_display.h"
#include "pgsluice/report.h"
#include "pgsluice/running.h"
#include "pgsluice/signals.h"

namespace pgsluice::tools {

namespace {

struct CompareArguments {
  pipeline::CompareOptions options;
  std::string split_larger_than = "auto";
  std::string pg_bindir;
  bool json = false;
  LogOptions log;
};

constexpr const char* kDataFooter =
    "Examples:\n"
    "  pgsluice compare data --source postgresql://me@old/shop --target postgresql://me@new/shop\n"
    "  pgsluice compare data --table-jobs 8 --json > comparison.json\n"
    "\n"
    "Both databases are read, whatever has copied one to the other: every row of every table, sequences and large\n"
    "objects; not materialized views, which are made of them. Write to neither meanwhile, or the difference is what "
    "was written.\n"
    "\n"
    "Exit codes: 0 both are the same, 21 they differ, 1 arguments, 6 source, 7 target, 12 internal, 130/143 cancelled.";

constexpr const char* kSchemaFooter =
    "Example:\n"
    "  pgsluice compare schema --source postgresql://me@old/shop --target postgresql://me@new/shop\n"
    "\n"
    "What pg_dump writes of both databases is compared, object by object; their order does not matter.\n"
    "\n"
    "Exit codes: 0 both are the same, 21 they differ, 1 arguments, 2 no pg_dump, 6 source, 7 target, 130/143 "
    "cancelled.";

void add_common_options(CLI::App& command, CompareArguments& args) {
  with_environment(command, command.add_option("-S,--source", args.options.source, "Source database, URI or keywords"),
                   args.options.source, "SOURCE_PGURI");
  with_environment(command, command.add_option("-T,--target", args.options.target, "Target database, URI or keywords"),
                   args.options.target, "TARGET_PGURI");
  command.add_flag("-J,--json", args.json, "One JSON document on standard output");
  take_without_effect(command, {"--resume", "--restart", "--not-consistent"}, {"-D,--dir", "--snapshot"});
  add_log_options(command, args.log);
}

void add_data_options(CLI::App& command, CompareArguments& args) {
  with_environment(command,
                   command.add_option("--table-jobs,--jobs", args.options.jobs, "Tables read at a time (default 4)")
                       ->check(whole_number(1, 256)),
                   args.options.jobs, "TABLE_JOBS");
  with_environment(command,
                   command.add_option("--split-tables-larger-than,--split-at", args.split_larger_than,
                                      "auto, a size such as \"10 GB\", or 0 for never"),
                   args.split_larger_than, "SPLIT_TABLES_LARGER_THAN");
}

int finish(const std::string& document, bool equal, Console& console) {
  std::fputs(document.c_str(), stdout);
  std::fflush(stdout);
  if (equal) return kExitWell;
  Log(console).error("the databases differ");
  return kExitDifferent;
}

int run_compare_schema(const CompareArguments& args) {
  return run_cancellable(args.log, [&](Console& console, const CancelToken& cancel) {
    pipeline::CompareSchemaOptions options{
        .source = args.options.source, .target = args.options.target, .pg_bindir = std::nullopt};
    if (!args.pg_bindir.empty()) options.pg_bindir = args.pg_bindir;
    const std::vector<pipeline::SchemaDifference> differences =
        pipeline::compare_schemas(options, Log(console), cancel);
    return finish(args.json ? schema_comparison_json(differences) : schema_comparison_text(differences),
                  differences.empty(), console);
  });
}

int run_compare_data(const CompareArguments& args) {
  return run_reporting(args.log, [&](Console& console) {
    pipeline::CompareOptions options = args.options;
    options.split = parse_split(args.split_larger_than);
    pipeline::DataComparison comparison(std::move(options), console);
    const SignalsCancel signals([&comparison] { comparison.cancel(); });
    pipeline::ComparedData data;
    {
      const ProgressDisplay display(console, progress_style("auto", args.log),
                                    [&comparison] { return comparison.progress(); });
      data = comparison.run();
    }
    return finish(args.json ? comparison_json(data) : comparison_text(data), data.equal(), console);
  });
}

}  // namespace

void add_compare_command(CLI::App& app, int& exit_code) {
  CLI::App* compare = app.add_subcommand("compare", "Compare two databases");
  compare->require_subcommand(1)->footer(
      "Example:\n  pgsluice compare data --source postgresql://me@old/shop --target postgresql://me@new/shop");
  CLI::App* data = compare->add_subcommand("data", "Compare every row of every table, sequences and large objects");
  data->footer(kDataFooter);
  auto data_args = std::make_shared<CompareArguments>();
  add_common_options(*data, *data_args);
  add_data_options(*data, *data_args);
  data->callback([data_args, &exit_code] { exit_code = run_compare_data(*data_args); });

  CLI::App* schema = compare->add_subcommand("schema", "Compare all definitions, owners, privileges and comments");
  schema->footer(kSchemaFooter);
  auto schema_args = std::make_shared<CompareArguments>();
  add_common_options(*schema, *schema_args);
  take_without_effect(*schema, {}, {"--table-jobs", "--jobs"});
  schema->add_option("--pg-bindir", schema_args->pg_bindir, "Folder of pg_dump");
  schema->callback([schema_args, &exit_code] { exit_code = run_compare_schema(*schema_args); });
}

}  // namespace pgsluice::tools
