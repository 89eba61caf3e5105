#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/sqlstate.h"
#include "pg/quote.h"
#include "pgsluice/data_comparison.h"
#include "pgsluice/error.h"
#include "pgsluice/schema_comparison.h"
#include "pipeline/prepare/sessions.h"
#include "pipeline/settings.h"
#include "schema/catalog/databases.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/comparison_report.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/environment.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/option_values.h"
#include "tools/pgsluice/progress_display.h"
#include "tools/pgsluice/running.h"

namespace pgsluice::tools {

namespace {

struct CompareArguments {
  pipeline::CompareOptions options;
  std::string split_larger_than = "auto";
  std::string filters;
  std::string pg_bindir;
  bool json = false;
  bool all_databases = false;
  bool roles = false;
  std::string max_rate;
  LogOptions log;
};

constexpr const char* kDataFooter =
    "Examples:\n"
    "  pgsluice compare data --source postgresql://me@old/shop --target postgresql://me@new/shop\n"
    "  pgsluice compare data --table-jobs 8 --json > comparison.json\n"
    "  pgsluice compare data --filters of-the-clone.ini --source postgresql://me@old/shop --target "
    "postgresql://me@new/shop\n"
    "\n"
    "Both databases are read, whatever has copied one to the other: every row of every table and materialized view,\n"
    "stored generated columns, sequences and large objects. A materialized view that is stale on the source is a "
    "note,\n"
    "no difference. Write to neither meanwhile, or the difference is what was written.\n"
    "\n"
    "Exit codes: 0 both are the same, 21 they differ, 22 no difference was found, but row-level security hides some\n"
    "tables, 1 arguments, 6 source, 7 target, 12 internal, 130/143 cancelled.";

constexpr const char* kSchemaFooter =
    "Examples:\n"
    "  pgsluice compare schema --source postgresql://me@old/shop --target postgresql://me@new/shop\n"
    "  pgsluice compare schema --roles --all-databases --source postgresql://me@old --target postgresql://me@new\n"
    "\n"
    "What pg_dump writes of both databases is compared, object by object, in any order, and what it does not write:\n"
    "the database's own owner, privileges, comment and settings, and those of large objects. Where the two\n"
    "servers print an object in different words, the source's definitions are restored into a scratch database beside\n"
    "the target (it takes CREATEDB, and is dropped again), to be printed by the same server.\n"
    "\n"
    "Exit codes: 0 both are the same, 21 they differ, 1 arguments, 2 no pg_dump, 6 source, 7 target, 130/143 "
    "cancelled.";

void add_common_options(CLI::App& command, CompareArguments& args) {
  with_environment(command, command.add_option("-S,--source", args.options.source, "Source database, URI or keywords"),
                   args.options.source, "SOURCE_PGURI");
  with_environment(command, command.add_option("-T,--target", args.options.target, "Target database, URI or keywords"),
                   args.options.target, "TARGET_PGURI");
  command.add_flag("-J,--json", args.json, "One JSON document on standard output");
  command.add_flag("--all-databases", args.all_databases,
                   "Every database of the source that is no template with that of its name on the target");
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
  with_environment(
      command,
      command.add_option("--max-rate", args.max_rate, "Rows of the source read in a second at most, such as \"50 MB\""),
      args.max_rate, "MAX_RATE");
  command.add_option("--filters,--filter", args.filters,
                     "The filter file of the copy (docs/filters.md): what it has left out is not compared");
}

/// The results of a comparison, from the best to the worst.
enum class Found { kEqual, kUnread, kDifferent };

struct Compared {
  std::string document;
  Found found = Found::kDifferent;
};

int finish(const Compared& compared, Console& console) {
  std::fputs(compared.document.c_str(), stdout);
  std::fflush(stdout);
  switch (compared.found) {
    case Found::kEqual:
      return kExitSuccess;
    case Found::kUnread:
      Log(console).error("no difference was found, but not everything could be read");
      return kExitIncomplete;
    case Found::kDifferent:
      break;
  }
  Log(console).error("the databases differ");
  return kExitDifferent;
}

// `closed`: those that cannot be connected to.
std::vector<std::string> databases_of_source(const CompareArguments& args, std::set<std::string>& closed,
                                             const Log& log, const CancelToken& cancel) {
  pg::Connection source =
      pipeline::open_reader(pipeline::parse_conninfo(args.options.source, Side::kSource), "compare", "", log, cancel);
  std::vector<std::string> names;
  for (const schema::Database& database : schema::read_databases(source)) {
    if (database.half_dropped) continue;
    names.push_back(database.name);
    if (!database.may_connect) closed.insert(database.name);
  }
  return names;
}

// One after another, into one document. A database that the target lacks is a difference.
template <class CompareOne>
int compare_each(const CompareArguments& args, Console& console, const CancelToken& cancel, CompareOne compare) {
  if (!args.all_databases) {
    return finish(compare(""), console);
  }
  nlohmann::json documents = nlohmann::json::array();
  std::string text;
  Found worst = Found::kEqual;
  std::set<std::string> closed;
  for (const std::string& database : databases_of_source(args, closed, Log(console), cancel)) {
    Compared compared;
    try {
      if (closed.contains(database)) {
        compared = {args.json ? "{\"unread\": true}" : "no connections are allowed to it on the source: not compared\n",
                    Found::kUnread};
      } else {
        compared = compare(database);
      }
    } catch (const Error& error) {
      if (error.sqlstate() != sqlstate::kInvalidCatalogName || error.side() != Side::kTarget) throw;
      compared.document = args.json ? "{\"missing\": true}" : "missing on the target\n";
    }
    worst = std::max(worst, compared.found);
    text += fmt::format("database {}\n{}\n", pg::display_name("", database), compared.document);
    if (args.json) {
      documents.push_back({{"database", database}, {"comparison", nlohmann::json::parse(compared.document)}});
    }
  }
  return finish({args.json ? documents.dump(2) + "\n" : text, worst}, console);
}

Compared compare_schema(const CompareArguments& args, const std::string& database, Console& console,
                        const CancelToken& cancel) {
  pipeline::CompareSchemaOptions options{
      .source = args.options.source, .target = args.options.target, .database = database, .pg_bindir = std::nullopt};
  options.roles = args.roles;
  if (!args.pg_bindir.empty()) options.pg_bindir = args.pg_bindir;
  const pipeline::SchemaComparison comparison = pipeline::compare_schemas(options, Log(console), cancel);
  if (!comparison.not_compared.empty()) {
    throw Error(ErrorKind::kConfig, comparison.not_compared)
        .hint("install PostgreSQL's client programs of that version, or name their folder with --pg-bindir");
  }
  return {args.json ? schema_comparison_json(comparison) : schema_comparison_text(comparison),
          comparison.equal() ? Found::kEqual : Found::kDifferent};
}

int run_compare_schema(const CompareArguments& args) {
  return run_cancellable(args.log, [&](Console& console, const CancelToken& cancel) {
    return compare_each(args, console, cancel,
                        [&](const std::string& database) { return compare_schema(args, database, console, cancel); });
  });
}

Compared compare_data(const CompareArguments& args, const std::string& database, Console& console,
                      const CancelToken& cancel) {
  pipeline::CompareOptions options = args.options;
  options.database = database;
  options.split = pipeline::parse_split(args.split_larger_than);
  if (!args.max_rate.empty()) options.max_rate = parse_bytes(args.max_rate);
  if (!args.filters.empty()) options.filters = schema::read_filter_rules(args.filters);
  pipeline::DataComparison comparison(std::move(options), console, cancel);
  pipeline::ComparedData data;
  {
    const ProgressDisplay display(console, progress_style("auto", args.log),
                                  [&comparison] { return comparison.progress(); });
    data = comparison.run();
  }
  return {args.json ? comparison_json(data) : comparison_text(data), !data.equal()          ? Found::kDifferent
                                                                     : data.undecided() > 0 ? Found::kUnread
                                                                                            : Found::kEqual};
}

int run_compare_data(const CompareArguments& args) {
  return run_cancellable(args.log, [&](Console& console, const CancelToken& cancel) {
    return compare_each(args, console, cancel,
                        [&](const std::string& database) { return compare_data(args, database, console, cancel); });
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
  schema->add_flag("--roles", schema_args->roles,
                   "The source's roles too: their attributes, memberships and settings, but no passwords");
  schema->add_option("--pg-bindir", schema_args->pg_bindir, "Folder of pg_dump");
  schema->callback([schema_args, &exit_code] { exit_code = run_compare_schema(*schema_args); });
}

}  // namespace pgsluice::tools
