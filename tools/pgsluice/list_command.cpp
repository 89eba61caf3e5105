#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "pg/quote.h"
#include "pg/snapshot.h"
#include "pgsluice/error.h"
#include "pgsluice/filter_rules.h"
#include "pipeline/plan/table_plan.h"
#include "pipeline/prepare/sessions.h"
#include "pipeline/settings.h"
#include "schema/catalog/catalog.h"
#include "schema/catalog/listing.h"
#include "schema/selection/selection.h"
#include "tools/pgsluice/commands.h"
#include "tools/pgsluice/console.h"
#include "tools/pgsluice/environment.h"
#include "tools/pgsluice/exit_code.h"
#include "tools/pgsluice/option_values.h"
#include "tools/pgsluice/running.h"
#include "tools/pgsluice/schema_document.h"
#include "tools/pgsluice/text_table.h"

namespace pgsluice::tools {

namespace {

using Json = nlohmann::ordered_json;
using Align = TextTable::Align;

struct ListArguments {
  std::string source;
  std::string snapshot;
  std::string filters;
  bool list_skipped = false;
  std::string schema_name;
  std::string table_name;
  std::string split_larger_than;
  int split_max_parts = 0;
  bool skip_split_by_ctid = false;
  bool without_pkey = false;
  bool available_versions = false;
  bool requirements = false;
  bool json = false;
  LogOptions log;
  int table_jobs = 4;
};

/// The contents of a list: rows for a person, objects for a program.
struct Listing {
  TextTable table;
  Json document = Json::array();

  std::string text(bool json) const {
    return json ? document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n" : table.text();
  }
};

TextTable psql_table(const std::vector<std::string>& heads) {
  std::vector<TextTable::Column> columns;
  for (const std::string& head : heads) columns.push_back({head, Align::kRight});
  return TextTable(std::move(columns), TextTable::Look::kPsql);
}

/// True if --schema-name and --table-name, where they are given, are these.
bool is_asked_for(const ListArguments& args, const std::string& schema, const std::string& table) {
  return (args.schema_name.empty() || args.schema_name == schema) &&
         (args.table_name.empty() || args.table_name == table);
}

Listing list_databases(pg::Connection& source, const ListArguments& /*args*/) {
  Listing listing{.table = psql_table({"OID", "Database Name", "On-disk Size"})};
  for (const schema::ListedDatabase& database : schema::list_databases(source)) {
    listing.table.add({std::to_string(database.oid), database.name, to_string(database.size)});
    listing.document.push_back({{"oid", database.oid}, {"name", database.name}, {"bytes", database.size.count}});
  }
  return listing;
}

Listing list_available(pg::Connection& source, schema::Versions versions) {
  Listing listing{.table = psql_table({"Name", "Version"})};
  for (const schema::AvailableExtension& extension : schema::list_available_extensions(source, versions)) {
    listing.table.add({extension.name, extension.version});
    listing.document.push_back({{"name", extension.name}, {"version", extension.version}});
  }
  return listing;
}

Listing list_extensions(pg::Connection& source, const ListArguments& args) {
  if (args.requirements) return list_available(source, schema::Versions::kDefault);
  if (args.available_versions) return list_available(source, schema::Versions::kAll);
  Listing listing{.table = psql_table({"OID", "Name", "Schema", "Version"})};
  for (const schema::ListedExtension& extension : schema::list_extensions(source)) {
    listing.table.add({std::to_string(extension.oid), extension.name, extension.schema, extension.version});
    listing.document.push_back({{"oid", extension.oid},
                                {"name", extension.name},
                                {"schema", extension.schema},
                                {"version", extension.version}});
  }
  return listing;
}

Listing list_collations(pg::Connection& source, const ListArguments& /*args*/) {
  Listing listing{.table = psql_table({"OID", "Name", "Object name"})};
  for (const schema::ListedCollation& collation : schema::list_collations(source)) {
    listing.table.add({std::to_string(collation.oid), collation.name, collation.object});
    listing.document.push_back({{"oid", collation.oid}, {"name", collation.name}, {"object", collation.object}});
  }
  return listing;
}

/// The objects that are listed: those that are copied, or, with --list-skipped, what a filter leaves out.
class Listed {
 public:
  Listed(pg::Connection& source, const ListArguments& args) : skipped_(args.list_skipped) {
    if (args.filters.empty()) return;
    const schema::FilterRules rules = schema::read_filter_rules(args.filters);
    selection_ = schema::select_objects(source, {.rules = rules});
    for (const std::string& warning : selection_.warnings) source.log().warning(warning);
  }

  bool has(schema::Oid relation) const { return selection_.keeps(relation) != skipped_; }
  bool has_rows_of(schema::Oid table) const {
    return (selection_.keeps(table) && !selection_.without_rows.contains(table)) != skipped_;
  }
  const schema::Selection& selection() const { return selection_; }

 private:
  schema::Selection selection_;
  const bool skipped_;
};

std::set<schema::Oid> tables_with_primary_key(const schema::Catalog& catalog) {
  std::set<schema::Oid> tables;
  for (const schema::Index& index : catalog.indexes) {
    if (index.constraint_type == 'p') tables.insert(index.table);
  }
  return tables;
}

Listing list_tables(pg::Connection& source, const ListArguments& args) {
  const schema::Catalog catalog = schema::read_catalog(source);
  const std::set<schema::Oid> with_key = tables_with_primary_key(catalog);
  std::vector<const schema::Relation*> tables = pipeline::tables_to_copy(catalog);
  const Listed listed(source, args);
  std::erase_if(tables, [&](const schema::Relation* table) { return !listed.has_rows_of(table->oid); });
  std::stable_sort(tables.begin(), tables.end(), [](const auto* a, const auto* b) { return a->size() > b->size(); });
  Listing listing{.table = psql_table({"OID", "Schema Name", "Table Name", "Est. Row Count", "On-disk size"})};
  for (const schema::Relation* table : tables) {
    if (args.without_pkey && with_key.contains(table->oid)) continue;
    const auto rows = static_cast<std::int64_t>(table->estimated_rows);
    listing.table.add(
        {std::to_string(table->oid), table->schema, table->name, std::to_string(rows), to_string(table->size())});
    listing.document.push_back({{"oid", table->oid},
                                {"schema", table->schema},
                                {"name", table->name},
                                {"reltuples", rows},
                                {"bytes", table->size().count},
                                {"bytes-pretty", to_string(table->size())}});
  }
  return listing;
}

Listing list_sequences(pg::Connection& source, const ListArguments& args) {
  const Listed listed(source, args);
  Listing listing{.table = psql_table({"OID", "Schema Name", "Sequence Name"})};
  const schema::Catalog catalog = schema::read_catalog(source);
  for (const schema::Sequence& sequence : catalog.sequences) {
    if (!listed.has(sequence.oid)) continue;
    listing.table.add({std::to_string(sequence.oid), sequence.schema, sequence.name});
    listing.document.push_back({{"oid", sequence.oid}, {"schema", sequence.schema}, {"name", sequence.name}});
  }
  return listing;
}

Listing list_indexes(pg::Connection& source, const ListArguments& args) {
  const schema::Catalog catalog = schema::read_catalog(source);
  const Listed listed(source, args);
  Listing listing{.table = psql_table({"OID", "Schema", "Index Name", "Constraint", "DDL"})};
  for (const schema::Index& index : catalog.indexes) {
    const schema::Relation* table = catalog.relation(index.table);
    if (table == nullptr || !listed.has(index.oid) || !is_asked_for(args, table->schema, table->name)) continue;
    listing.table.add({std::to_string(index.oid), index.schema, index.name, index.constraint_name, index.definition});
    listing.document.push_back({{"oid", index.oid},
                                {"schema", index.schema},
                                {"name", index.name},
                                {"isPrimary", index.constraint_type == 'p'},
                                {"isValid", index.valid},
                                {"sql", index.definition},
                                {"constraint", index.constraint_name},
                                {"table", {{"oid", table->oid}, {"schema", table->schema}, {"name", table->name}}}});
  }
  return listing;
}

Listing list_depends(pg::Connection& source, const ListArguments& args) {
  if (args.filters.empty()) {
    throw Error(ErrorKind::kUsage, "no filter was given").hint("give --filters, the file that says what is left out");
  }
  const Listed listed(source, args);
  Listing listing{.table = psql_table({"Catalog OID", "OID", "Object", "Depends on"})};
  // Names as an object's description has them: "view public.orders_of_today".
  const std::string schema = args.schema_name.empty() ? "" : pg::display_name("", args.schema_name) + ".";
  const std::string table = args.table_name.empty() ? "" : pg::display_name("", args.table_name);
  for (const schema::Dependent& dependent : listed.selection().dependents) {
    const auto is_about = [&](const std::string& name) {
      return name.empty() || (dependent.object + " " + dependent.because).find(name) != std::string::npos;
    };
    if (!is_about(schema) || !is_about(table)) continue;
    listing.table.add(
        {std::to_string(dependent.id.table), std::to_string(dependent.id.oid), dependent.object, dependent.because});
    listing.document.push_back({{"classid", dependent.id.table},
                                {"objid", dependent.id.oid},
                                {"object", dependent.object},
                                {"because", dependent.because}});
  }
  return listing;
}

/// The table that --schema-name and --table-name name; "public" where no schema is.
const schema::Relation& wanted_table(const schema::Catalog& catalog, const ListArguments& args) {
  if (args.table_name.empty()) {
    throw Error(ErrorKind::kUsage, "no table was named").hint("give --table-name, and --schema-name if not public");
  }
  const std::string schema = args.schema_name.empty() ? "public" : args.schema_name;
  for (const schema::Relation* table : pipeline::tables_to_copy(catalog)) {
    if (table->schema == schema && table->name == args.table_name) return *table;
  }
  throw Error(ErrorKind::kUsage, fmt::format("there is no table {}.{} with rows of its own", schema, args.table_name))
      .hint("'pgsluice list tables' shows what there is");
}

void add_part(Listing& listing, const copy::RowRange& range, std::size_t number, std::size_t parts,
              const std::optional<copy::KeySpan>& span) {
  const PartBounds bounds = part_bounds(range, span);
  const auto shown = [&](std::int64_t at) {
    return range.bounds.by == copy::kByBlocks ? fmt::format("({},0)", at) : std::to_string(at);
  };
  listing.table.add(
      {fmt::format("{}/{}", number, parts), shown(bounds.first), shown(bounds.last), std::to_string(bounds.count)});
  listing.document.push_back(
      {{"number", number}, {"total", parts}, {"min", bounds.first}, {"max", bounds.last}, {"count", bounds.count}});
}

// Never splits where no size was given.
copy::SplitOptions split_options(const ListArguments& args) {
  return pipeline::parse_split(args.split_larger_than.empty() ? "0" : args.split_larger_than, args.split_max_parts,
                               !args.skip_split_by_ctid);
}

Listing list_schema(pg::Connection& source, const ListArguments& args) {
  schema::Catalog catalog = schema::read_catalog(source);
  schema::apply(Listed(source, args).selection(), catalog);
  pipeline::TablePlanInput input{.source = catalog, .table_jobs = args.table_jobs, .split = split_options(args)};
  for (const schema::Relation* by_key : pipeline::tables_split_by_key(input)) {
    if (const auto span = copy::read_key_span(source, *by_key)) input.key_spans[by_key->oid] = *span;
  }
  const SchemaDocumentSetup setup{.snapshot = args.snapshot,
                                  .source = source.pinned_conninfo().redacted(),
                                  .table_jobs = args.table_jobs,
                                  .split_larger_than = input.split.size};
  Listing listing{.table = psql_table({})};
  listing.document =
      Json::parse(schema_document(source, catalog, pipeline::plan_tables(input), input.key_spans, setup));
  return listing;
}

Listing list_table_parts(pg::Connection& source, const ListArguments& args) {
  const schema::Catalog catalog = schema::read_catalog(source);
  const schema::Relation& table = wanted_table(catalog, args);
  if (args.split_larger_than.empty()) {
    throw Error(ErrorKind::kUsage, "no size was given")
        .hint("give --split-tables-larger-than, such as '10 GB', or auto");
  }
  pipeline::TablePlanInput input{.source = catalog, .table_jobs = args.table_jobs, .split = split_options(args)};
  std::optional<copy::KeySpan> span;
  for (const schema::Relation* by_key : pipeline::tables_split_by_key(input)) {
    if (by_key == &table && (span = copy::read_key_span(source, table))) input.key_spans[table.oid] = *span;
  }
  Listing listing{.table = psql_table({"Part", "Min", "Max", "Count"})};
  for (const pipeline::TablePlan& plan : pipeline::plan_tables(input)) {
    if (plan.table != &table) continue;
    if (plan.ranges.size() == 1) {
      source.log().info(fmt::format("table {} ({}) is not split: {}", table.display(), to_string(table.size()),
                                    plan.reason.empty() ? "it is not larger" : plan.reason));
      continue;
    }
    for (std::size_t i = 0; i < plan.ranges.size(); ++i) {
      add_part(listing, plan.ranges[i], i + 1, plan.ranges.size(), span);
    }
  }
  return listing;
}

using List = Listing (*)(pg::Connection&, const ListArguments&);

int run_list(const ListArguments& args, List list) {
  return run_cancellable(args.log, [&](Console& console, const CancelToken& cancel) -> int {
    pg::Connection source =
        pipeline::open_reader(pipeline::parse_conninfo(args.source, Side::kSource), "list", "", Log(console), cancel);
    if (args.snapshot.empty()) {
      source.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    } else {
      pg::import_snapshot(source, args.snapshot);
    }
    std::fputs(list(source, args).text(args.json).c_str(), stdout);
    return kExitSuccess;
  });
}

void add_common_options(CLI::App& command, ListArguments& args) {
  with_environment(command, command.add_option("-S,--source", args.source, "Source database, URI or keywords"),
                   args.source, "SOURCE_PGURI");
  with_environment(command, command.add_option("--snapshot", args.snapshot, "A snapshot that another session holds"),
                   args.snapshot, "SNAPSHOT");
  command.add_flag("-J,--json", args.json, "One JSON document");
  command.add_option("--table-jobs,--jobs", args.table_jobs, "Tables copied at a time, for parts by themselves (auto)")
      ->check(whole_number(1, 256));
  take_without_effect(
      command,
      {"--resume", "--restart", "--not-consistent", "--force", "--cache", "--drop-cache", "--estimate-table-sizes"},
      {"-D,--dir"});
  add_log_options(command, args.log);
}

void add_table_names(CLI::App& command, ListArguments& args) {
  command.add_option("--schema-name", args.schema_name, "Of tables in this schema");
  command.add_option("--table-name", args.table_name, "Of tables of this name");
}

void add_filter_options(CLI::App& command, ListArguments& args) {
  command.add_option("--filters,--filter", args.filters, "Filter file (docs/filters.md)");
  command.add_flag("--list-skipped", args.list_skipped, "What the filter leaves out, in place of what stays");
}

void add_split_options(CLI::App& command, ListArguments& args) {
  with_environment(
      command,
      command.add_option("--split-tables-larger-than,--split-at", args.split_larger_than, "A size such as \"10 GB\""),
      args.split_larger_than, "SPLIT_TABLES_LARGER_THAN");
  with_environment(command,
                   command.add_option("--split-max-parts", args.split_max_parts, "Parts at most (0: no limit)")
                       ->check(whole_number(0)),
                   args.split_max_parts, "SPLIT_MAX_PARTS");
  with_environment(command,
                   command.add_flag("--skip-split-by-ctid", args.skip_split_by_ctid, "Split only by integer keys"),
                   args.skip_split_by_ctid, "SKIP_CTID_SPLIT");
}

}  // namespace

void add_list_command(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("list", "List what the source has, and what would be done with it");
  group->require_subcommand(1)->footer(
      "Examples:\n"
      "  pgsluice list tables --source postgresql://me@old/shop\n"
      "  pgsluice list progress --dir /var/tmp/shop");
  const auto add = [&](const char* name, const char* description, List list) {
    CLI::App* command = group->add_subcommand(name, description);
    command->footer(
        fmt::format("Example:\n  pgsluice list {} --source postgresql://me@old/shop{}\n\n"
                    "Exit codes: 0 complete, 1 arguments, 2 configuration, 6 source, 130/143 cancelled.",
                    name,
                    std::string_view(name) == "table-parts" ? " --table-name orders --split-tables-larger-than '10 GB'"
                    : std::string_view(name) == "depends"   ? " --filters filter.ini"
                                                            : ""));
    auto args = std::make_shared<ListArguments>();
    add_common_options(*command, *args);
    command->callback([args, list, &exit_code] { exit_code = run_list(*args, list); });
    return std::pair(command, args);
  };
  add("databases", "Databases of the server, the largest first", list_databases);
  const auto [extensions, of_extensions] = add("extensions", "Extensions of the database", list_extensions);
  extensions->add_flag("--available-versions", of_extensions->available_versions, "Each version that the server has");
  extensions->add_flag("--requirements", of_extensions->requirements,
                       "Each extension that the server has, with its default version");
  add("collations", "Collations that the database, its columns and indexes are ordered by", list_collations);
  const auto [tables, of_tables] = add("tables", "Tables whose rows are copied, the largest first", list_tables);
  tables->add_flag("--without-pkey", of_tables->without_pkey, "Only those without a primary key");
  add_filter_options(*tables, *of_tables);
  const auto [parts, of_parts] = add("table-parts", "The parts in which a table is copied", list_table_parts);
  add_table_names(*parts, *of_parts);
  add_split_options(*parts, *of_parts);
  const auto [sequences, of_sequences] = add("sequences", "Sequences whose values are copied", list_sequences);
  add_filter_options(*sequences, *of_sequences);
  const auto [indexes, of_indexes] = add("indexes", "Indexes that are built, with their constraints", list_indexes);
  add_table_names(*indexes, *of_indexes);
  add_filter_options(*indexes, *of_indexes);
  const auto [schema, of_schema] = add("schema", "Tables, indexes and sequences in one JSON document", list_schema);
  of_schema->json = true;
  add_filter_options(*schema, *of_schema);
  add_split_options(*schema, *of_schema);
  const auto [depends, of_depends] =
      add("depends", "What is left out since it depends on what a filter leaves out", list_depends);
  add_table_names(*depends, *of_depends);
  add_filter_options(*depends, *of_depends);
}

}  // namespace pgsluice::tools
