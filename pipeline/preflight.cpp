#include "pgsluice/pipeline/preflight.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <future>
#include <set>

#include "pgsluice/base/error.h"
#include "pgsluice/pg/quote.h"
#include "pgsluice/pipeline/preflight_checks.h"
#include "pgsluice/pipeline/sessions.h"
#include "pgsluice/pipeline/task_steps.h"
#include "pgsluice/schema/collations.h"
#include "pgsluice/schema/pg_dump.h"

namespace pgsluice::pipeline {

namespace {

// pg_dump and the catalog queries at once: both read the same snapshot.
struct Definitions {
  schema::Archive archive;
  schema::Catalog catalog;
  std::vector<std::string> warnings;
};

Definitions read_definitions(pg::Connection& source, const schema::DumpRequest& request, const Log& log,
                             const CancelToken& cancel) {
  CancelSource dump_cancel(cancel);
  std::future<std::vector<std::string>> dump = std::async(
      std::launch::async, [&, token = dump_cancel.token()] { return schema::run_pg_dump(request, log, token); });
  Definitions result;
  std::vector<std::string> obstacles;
  try {
    result.catalog = schema::read_catalog(source);
    // Before pg_dump's end: it would fail for the same reasons, and say less.
    obstacles = check_source(source, result.catalog);
  } catch (...) {
    dump_cancel.cancel();  // or the future would wait for a pg_dump that nobody needs
    throw;
  }
  result.warnings = dump.get();
  for (std::string& obstacle : obstacles) {
    log.warning(obstacle);
    result.warnings.push_back(std::move(obstacle));
  }
  result.archive = schema::read_archive(request.archive);
  // It may hold passwords of subscriptions and user mappings, and all of it is in memory now.
  std::filesystem::remove(request.archive);
  return result;
}

// A row that sorts behind another partition's bound on the target goes in where it belongs there.
void load_through_roots_where_rows_move(pg::Connection& source, pg::Connection& target, schema::Catalog& catalog) {
  const auto is_sorted = [](const schema::Relation& relation) { return relation.sorted_under != 0; };
  if (std::none_of(catalog.relations.begin(), catalog.relations.end(), is_sorted)) return;
  if (schema::partition_keys_sort_alike(source, target)) return;
  for (schema::Relation& relation : catalog.relations) {
    if (is_sorted(relation)) relation.load_through = relation.sorted_under;
  }
}

// A root's rows are compared as a whole, so none of its partitions is loaded past it.
void load_whole_trees_through_their_roots(schema::Catalog& catalog) {
  std::map<schema::Oid, schema::Oid> parents;
  for (const schema::Inheritance& link : catalog.inheritance) parents[link.child] = link.parent;
  std::set<schema::Oid> roots;
  for (const schema::Relation& relation : catalog.relations) {
    if (relation.load_through != 0) roots.insert(relation.load_through);
  }
  if (roots.empty()) return;
  for (schema::Relation& relation : catalog.relations) {
    if (relation.kind != schema::RelationKind::kTable) continue;
    for (auto parent = parents.find(relation.oid); parent != parents.end(); parent = parents.find(parent->second)) {
      if (roots.contains(parent->second)) relation.load_through = parent->second;
    }
  }
}

// In bytes, whatever unit the setting has.
Bytes size_setting(pg::Connection& connection, std::string_view name) {
  const std::array<std::string, 1> parameters = {std::string(name)};
  return {
      connection.execute("SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting($1))", parameters)[0].integer(0)};
}

TargetResources read_resources(pg::Connection& target) {
  TargetResources resources{
      .maintenance_work_mem = size_setting(target, "maintenance_work_mem"),
      .shared_buffers = size_setting(target, "shared_buffers"),
      .max_parallel_maintenance_workers = 0,
      .toast_compressions = {},
  };
  resources.max_parallel_maintenance_workers = static_cast<int>(
      target.execute("SELECT pg_catalog.current_setting('max_parallel_maintenance_workers')::integer")[0].integer(0));
  const pg::Result compressions =
      target.execute("SELECT enumvals FROM pg_catalog.pg_settings WHERE name = 'default_toast_compression'");
  if (!compressions.empty()) resources.toast_compressions = compressions[0].text_array(0);
  return resources;
}

// The run was killed when it had dropped its ledger. What it has made has to be there.
bool is_finished(const RunRecord& record, const schema::Archive& archive, pg::Connection& source,
                 pg::Connection& target, const CloneOptions& options) {
  if (!RunFolder(options.work_folder).is_finished(finished_mark(record, target))) return false;
  const schema::TargetObjects objects = schema::find_target_objects(archive, source, target);
  return objects.missing == 0 && !objects.conflicts.empty();
}

std::map<schema::Oid, copy::KeySpan> read_key_spans(pg::Connection& source, const TablePlanInput& tables,
                                                    const Log& log) {
  std::map<schema::Oid, copy::KeySpan> spans;
  for (const schema::Relation* table : tables_split_by_key(tables)) {
    log.debug(fmt::format("reading the span of {} of {}", table->integer_key, table->display()));
    if (const auto span = copy::read_key_span(source, *table)) spans[table->oid] = *span;
  }
  return spans;
}

}  // namespace

std::optional<Preflight> run_preflight(const CloneOptions& options, Intent intent,
                                       const std::filesystem::path& archive_folder, Progress& progress, const Log& log,
                                       const CancelToken& cancel) {
  const pg::ConnInfo source_info = parse_conninfo(options.source, Side::kSource);
  const pg::ConnInfo target_info = parse_conninfo(options.target, Side::kTarget);

  progress.enter_phase("connecting");
  pg::Connection source = open_reader(source_info, "catalog", "", log, cancel);
  const std::string encoding = server_encoding(source);
  pg::Connection target = open_session(target_info, "definitions", encoding, log, cancel);
  log.info(fmt::format("source: PostgreSQL {} at {}, database {}", source.server_version_text(), source.address(),
                       source.database()));
  log.info(fmt::format("target: PostgreSQL {} at {}, database {}", target.server_version_text(), target.address(),
                       target.database()));
  check_servers(source, target);
  const schema::ClientProgram pg_dump = schema::find_pg_dump(options.pg_bindir, source.server_version(), cancel);
  log.debug(fmt::format("definitions by {} {}", pg_dump.path.string(), pg_dump.version_text));

  std::optional<Continuation> continuation =
      intent == Intent::kRun ? take_target(target, options, log) : look_at_target(target, options);
  pg::Connection holder = open_session(source.pinned_conninfo(), "snapshot", encoding, log, cancel);
  const pg::SnapshotMark mark = hold_snapshot(holder, options, continuation, log);
  pg::import_snapshot(source, mark.snapshot);

  progress.enter_phase("reading the definitions");
  Definitions definitions = read_definitions(source,
                                             {.program = pg_dump,
                                              .source = source.pinned_conninfo(),
                                              .snapshot = mark.snapshot.name,
                                              .encoding = encoding,
                                              .archive = archive_folder / "schema.dump"},
                                             log, cancel);
  progress.enter_phase("locking the tables");
  schema::lock_tables(holder, tables_to_copy(definitions.catalog));

  progress.enter_phase("checking the target");
  RunRecord record = new_record(options);
  record.mark = mark;
  record.inventory = schema::read_inventory(target);
  if (continuation) {
    check_same_rows(*continuation, mark, definitions.catalog.has_unlogged_tables(), options, log);
    record.inventory.see_as_before(continuation->record.inventory);
  }
  if (options.ledger && copy::read_ledger(target)) record.inventory.schemas.erase(std::string(copy::kLedgerSchema));
  PlanInput input{.archive = std::move(definitions.archive),
                  .catalog = std::move(definitions.catalog),
                  .inventory = record.inventory,
                  .properties = {},
                  .target_database = target.database(),
                  .target_version = target.server_version(),
                  .target_resources = read_resources(target),
                  .warnings = std::move(definitions.warnings)};
  load_through_roots_where_rows_move(source, target, input.catalog);
  load_whole_trees_through_their_roots(input.catalog);
  if (!continuation && options.earlier_run == EarlierRun::kResume) {
    if (is_finished(record, input.archive, source, target, options)) {
      log.info("the earlier run has done everything: nothing is left to do");
      return std::nullopt;
    }
    log.info("there is no earlier run into this database: the clone begins anew");
  }
  if (!continuation) {
    check_conflicts(source, target, input, options);
  }
  check_target(target, input, options);
  if (!continuation) check_ledger_schema(target, input, options);
  for (std::string& difference : compare_databases(input.catalog.database, schema::read_database_info(target))) {
    log.warning(difference);
    input.warnings.push_back(std::move(difference));
  }
  const pg::Result compression =
      source.execute("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'default_toast_compression'");
  if (!compression.empty()) input.source_toast_compression = compression[0].text(0);
  if (continuation) {
    input.loaded = loaded_parts(continuation->ledger, input.catalog,
                                continuation->inconsistent ? Trust::kWholeTables : Trust::kEveryPart);
  }
  input.key_spans = read_key_spans(source,
                                   {.source = input.catalog,
                                    .target_version = input.target_version,
                                    .table_jobs = options.table_jobs,
                                    .format = options.format,
                                    .split = options.split,
                                    .key_spans = {}},
                                   log);
  if (options.restore.owners) input.owners_out_of_reach = owners_out_of_reach(target, input);
  if (options.database_properties) {
    schema::RestoreOptions restore = options.restore;
    restore.owners_left_out.insert(input.owners_out_of_reach.begin(), input.owners_out_of_reach.end());
    input.properties = schema::read_database_properties(source, input.target_database, restore);
    if (const auto drop = schema::drop_of_public_schema(source, target)) input.properties.push_back(*drop);
  }
  std::unique_ptr<const Plan> plan = make_plan(std::move(input), options);
  return Preflight{.holder = std::move(holder),
                   .source = std::move(source),
                   .target = std::move(target),
                   .encoding = encoding,
                   .plan = std::move(plan),
                   .record = std::move(record),
                   .continuation = std::move(continuation)};
}

}  // namespace pgsluice::pipeline
