#include "pipeline/prepare/definitions.h"

#include <fmt/format.h>

#include <future>
#include <utility>

#include "base/file_descriptor.h"
#include "pg/snapshot.h"
#include "pgsluice/error.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/prepare/sessions.h"
#include "pipeline/prepare/source_checks.h"
#include "pipeline/prepare/source_snapshot.h"
#include "schema/archive/pg_dump.h"
#include "schema/catalog/lost_roles.h"
#include "schema/selection/definitions_file.h"

namespace pgsluice::pipeline {

namespace {

schema::Selection select(pg::Connection& source, const DefinitionsRequest& request, const ResolvedOptions& options,
                         const Log& log) {
  schema::Selection selection = schema::select_objects(source, {.rules = options.filters,
                                                                .skip_extensions = !options.extensions,
                                                                .extensions_on_target = request.extensions_on_target});
  for (const std::string& warning : selection.warnings) log.warning(warning);
  return selection;
}

// The role that a session acts for, as --role of a client program takes it.
std::string role_setting(pg::Connection& session) {
  return std::string(session.execute("SELECT pg_catalog.current_setting('role')")[0].text(0));
}

schema::Dump dump(const pg::ConnInfo& source, const std::string& role, const DefinitionsRequest& request,
                  bool large_objects, const schema::Selection& selection, const schema::ClientProgram& pg_dump,
                  const Log& log, const CancelToken& cancel) {
  return schema::run_pg_dump({.program = pg_dump,
                              .source = source,
                              .snapshot = request.snapshot,
                              .encoding = request.encoding,
                              .role = role,
                              .schemas_left_out = selection.schema_patterns,
                              .tables_left_out = selection.table_patterns,
                              .data_entries = request.data_entries,
                              .large_objects = large_objects},
                             log, cancel);
}

void leave_out_lost_roles(Definitions& definitions) {
  for (std::string& left_out : schema::leave_out_lost_roles(definitions.catalog.lost_roles, definitions.archive)) {
    definitions.warnings.push_back(std::move(left_out));
  }
}

}  // namespace

Definitions read_definitions(pg::Connection& source, const DefinitionsRequest& request, const ResolvedOptions& options,
                             const Log& log, const CancelToken& cancel) {
  const schema::ClientProgram pg_dump = schema::find_client_program(options.pg_bindir, source.server_version(), cancel);
  log.info(fmt::format("definitions by {} {}", pg_dump.path.string(), pg_dump.version_text));
  Definitions result;
  if (const auto too_old = schema::why_too_old(pg_dump, source.server_version())) {
    log.warning(*too_old);
    result.warnings.push_back(*too_old);
  }
  result.selection = select(source, request, options, log);
  CancelSource dump_cancel(cancel);
  std::future<schema::Dump> dumped =
      std::async(std::launch::async,
                 [&, conninfo = source.pinned_conninfo(), role = role_setting(source), token = dump_cancel.token()] {
                   return dump(conninfo, role, request, options.large_objects, result.selection, pg_dump, log, token);
                 });
  std::vector<std::string> warnings;
  try {
    result.catalog = schema::read_catalog(source);
    schema::apply(result.selection, result.catalog);
    // Before pg_dump's end: it would fail for the same reasons, and say less.
    warnings = check_source(source, result.catalog, options);
  } catch (...) {
    dump_cancel.cancel();  // or the future would wait for a pg_dump that is not needed
    throw;
  }
  schema::Dump written = dumped.get();
  std::move(written.warnings.begin(), written.warnings.end(), std::back_inserter(result.warnings));
  for (std::string& warning : warnings) {
    log.warning(warning);
    result.warnings.push_back(std::move(warning));
  }
  result.warnings.insert(result.warnings.end(), result.selection.warnings.begin(), result.selection.warnings.end());
  result.archive = schema::parse_archive(written.archive, "pg_dump's archive");
  log.debug(fmt::format("{} entries in {}'s archive", result.archive.entries.size(), pg_dump.path.string()));
  result.archive_bytes = std::move(written.archive);
  schema::apply(result.selection, result.archive);
  schema::keep_column_orders(result.catalog.own_column_orders, result.archive);
  leave_out_lost_roles(result);
  return result;
}

void dump_schema(const CloneOptions& given, const Log& log, const CancelToken& cancel) {
  const ResolvedOptions options(given);
  const FileLock lock = lock_work_folder(options.work_folder);
  const RunFolder folder(options.work_folder);
  make_work_folder(folder.schema_folder());
  pg::Connection source = open_reader(conninfo_of(options, Side::kSource), "catalog", "", log, cancel);
  log.info(fmt::format("source: PostgreSQL {} at {}, database {}", source.server_version_text(), source.address(),
                       source.database()));
  pg::Connection holder = open_session(source.pinned_conninfo(), "snapshot", server_encoding(source), log, cancel);
  const pg::SnapshotMark mark = hold_snapshot(holder, options, std::nullopt, log);
  pg::import_snapshot(source, mark.snapshot);
  const Definitions definitions = read_definitions(
      source, {.snapshot = mark.snapshot.name, .encoding = server_encoding(source), .extensions_on_target = {}},
      options, log, cancel);
  schema::write_definitions({.catalog = definitions.catalog,
                             .selection = definitions.selection,
                             .filters = options.filters.to_text(),
                             .system_identifier = mark.snapshot.system_identifier},
                            folder.catalog_file());
  write_file(folder.archive_file(), definitions.archive_bytes);
  log.info(fmt::format("{} definitions in {}", definitions.archive.entries.size(), folder.schema_folder().string()));
}

Definitions read_dumped_schema(const ResolvedOptions& options) {
  const RunFolder folder(options.work_folder);
  schema::SavedDefinitions saved = schema::read_definitions_file(folder.catalog_file());
  if (!options.filters.empty() && options.filters.to_text() != saved.filters) {
    throw Error(ErrorKind::kState, "the definitions in the work directory were dumped with another filter")
        .hint("dump them again with this filter, or give none")
        .remedy(Remedy::kDumpDefinitions);
  }
  Definitions result{.archive = schema::read_archive(folder.archive_file()),
                     .catalog = std::move(saved.catalog),
                     .selection = std::move(saved.selection),
                     .warnings = {},
                     .filters = schema::parse_filter_rules(saved.filters, "the filter of the dumped definitions")};
  result.source.snapshot.system_identifier = saved.system_identifier;
  result.source.database = std::to_string(result.catalog.database.oid);
  schema::apply(result.selection, result.archive);
  schema::keep_column_orders(result.catalog.own_column_orders, result.archive);
  leave_out_lost_roles(result);
  return result;
}

}  // namespace pgsluice::pipeline
