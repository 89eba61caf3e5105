#include "pipeline/prepare/archived_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/counted.h"
#include "base/file_descriptor.h"
#include "pg/quote.h"
#include "pgsluice/error.h"
#include "schema/catalog/archived_catalog.h"
#include "schema/catalog/extension_tables.h"
#include "schema/catalog/lost_roles.h"
#include "schema/selection/archived_selection.h"
#include "schema/selection/definitions_file.h"
#include "store/archived_large_objects.h"
#include "store/server_manifest.h"

namespace pgsluice::pipeline {

namespace {

bool has_file(const store::ArchiveData& data, std::string_view name) {
  return data.manifest() != nullptr && data.manifest()->has(name);
}

// As the archive has them: each server computes the other columns by itself.
void take_rows_of_archive(const ArchivedSource& source, schema::Catalog& catalog) {
  for (schema::Relation& relation : catalog.relations) {
    relation.generated_columns.clear();
    relation.generated_types.clear();
    relation.file_node = 0;
    const auto entry = source.entries.tables.find(relation.oid);
    if (entry == source.entries.tables.end()) {
      if (relation.kind == schema::RelationKind::kTable) relation.rows_wanted = false;
      continue;
    }
    relation.heap_size = {static_cast<std::int64_t>(source.data.content_size(*entry->second))};
    relation.toast_size = {};
  }
  catalog.large_objects = static_cast<std::int64_t>(store::large_objects_of(source.data.archive()).size());
}

// Returns false if there is none, or another version of pgsluice wrote it: then the archive's entries have to do.
bool take_saved_catalog(const ArchivedSource& source, Definitions& definitions) {
  if (!has_file(source.data, store::kCatalogFile)) return false;
  try {
    schema::SavedDefinitions saved = schema::read_definitions_file(source.data.path() / store::kCatalogFile);
    definitions.catalog = std::move(saved.catalog);
    definitions.selection = std::move(saved.selection);
    return true;
  } catch (const Error& error) {
    definitions.warnings.push_back(fmt::format(
        "{}: another version of pgsluice wrote it, so that the archive is restored as one of pg_dump's", error.what()));
    return false;
  }
}

}  // namespace

void require_copy_statements(const ArchivedSource& source) {
  for (const auto& [table, entry] : source.entries.tables) {
    if (entry->copy_statement.starts_with("COPY ")) continue;
    throw Error(ErrorKind::kConfig, "its rows are INSERT statements (pg_dump --inserts)")
        .object("table " + pg::display_name(entry->schema.value_or(""), entry->tag))
        .hint("restore this archive by pg_restore");
  }
}

// Up to 16, pg_dump --section=data writes their data and leaves out the entries that name and make them.
void require_named_large_objects(const ArchivedSource& source) {
  for (const store::LargeObjectsEntry& entry : source.entries.large_objects) {
    if (!entry.objects.empty()) continue;
    throw Error(ErrorKind::kConfig, "it has the data of large objects, and not which they are (pg_dump --section=data)")
        .object(source.data.path().string())
        .hint("make the archive by pg_dump --data-only")
        .remedy(Remedy::kOmitLargeObjects);
  }
}

std::shared_ptr<const ArchivedSource> open_archived_source(const ResolvedOptions& options, const Log& log) {
  if (store::holds_databases(options.archive)) {
    throw Error(ErrorKind::kConfig,
                fmt::format("{} holds archives of {}", options.archive.string(),
                            counted(store::read_server_manifest(options.archive).databases.size(), "database")))
        .hint("name the folder of one of them, or restore all databases");
  }
  auto source = std::make_shared<const ArchivedSource>(options.archive);
  const schema::Archive& archive = source->data.archive();
  require_copy_statements(*source);
  if (options.large_objects) require_named_large_objects(*source);
  if (!has_definitions(*source)) {
    log.info("the archive has rows without the definitions of their tables: they go into tables that are there");
  }
  log.info(fmt::format("archive {}: database {} of PostgreSQL {}, by pg_dump {}, {} entries", options.archive.string(),
                       archive.database, archive.server_version, archive.dump_version, archive.entries.size()));
  return source;
}

bool has_definitions(const ArchivedSource& source) {
  const std::vector<schema::TocEntry>& entries = source.data.archive().entries;
  return source.entries.tables.empty() ||
         std::any_of(entries.begin(), entries.end(), [](const schema::TocEntry& entry) {
           return entry.kind.is_one_of(
               {schema::EntryKind::kTable, schema::EntryKind::kForeignTable, schema::EntryKind::kExtension});
         });
}

void find_configuration_tables(const ArchivedSource& source, pg::Connection& target, schema::Catalog& catalog) {
  std::set<schema::Oid> defined;
  for (const schema::TocEntry& entry : source.data.archive().entries) {
    if (entry.kind != schema::EntryKind::kTableData) defined.insert(entry.catalog_id.oid);
  }
  const bool makes_extensions = has_definitions(source);
  const auto owners = schema::read_owners_of_tables(target);
  for (schema::Relation& table : catalog.relations) {
    if (!table.rows_wanted || table.extension_condition || defined.contains(table.oid)) continue;
    const auto owner = owners.find({table.schema, table.name});
    if (owner == owners.end() && !makes_extensions) continue;
    const bool is_known = owner != owners.end() && owner->second.condition;
    table.extension_condition = is_known ? *owner->second.condition : "";
    table.is_extension_condition_known = is_known;
  }
}

std::string read_archived_roles(const ArchivedSource& source) {
  if (has_file(source.data, store::kRolesFile)) return read_file(source.data.path() / store::kRolesFile);
  throw Error(ErrorKind::kConfig, fmt::format("{}: there are no roles in it", source.data.path().string()))
      .hint("make the archive again with its server's roles, or take these by pg_dumpall --roles-only and psql");
}

Definitions read_archived_definitions(const ArchivedSource& source) {
  Definitions result;
  result.archive = source.data.archive();
  if (!take_saved_catalog(source, result)) result.catalog = schema::catalog_of(result.archive);
  if (source.data.manifest() == nullptr) {
    result.warnings.emplace_back(
        "the archive is not pgsluice's: it says of no table how many rows it should have, so that only those which are "
        "in it are counted");
  }
  take_rows_of_archive(source, result.catalog);
  return result;
}

void select_from_archive(Definitions& definitions, const ResolvedOptions& options,
                         std::set<std::string, std::less<>> extensions_on_target) {
  schema::Selection selection = schema::select_objects(definitions.archive, definitions.catalog,
                                                       {.rules = options.filters,
                                                        .skip_extensions = !options.extensions,
                                                        .extensions_on_target = std::move(extensions_on_target)});
  schema::apply(selection, definitions.catalog);
  schema::apply(selection, definitions.archive);
  std::move(selection.warnings.begin(), selection.warnings.end(), std::back_inserter(definitions.warnings));
  // Omissions of the archive itself are named, too.
  schema::Selection& before = definitions.selection;
  std::move(before.named.begin(), before.named.end(), std::back_inserter(selection.named));
  std::move(before.dependents.begin(), before.dependents.end(), std::back_inserter(selection.dependents));
  definitions.selection = std::move(selection);
}

std::vector<RestoredTable> restored_tables(const ArchivedSource& source, const schema::Catalog& catalog) {
  std::map<schema::Oid, RestoredTable> tables;
  for (const schema::Relation& relation : catalog.relations) {
    const auto entry = source.entries.tables.find(relation.oid);
    if (entry == source.entries.tables.end() || !relation.rows_wanted) continue;
    const std::optional<copy::RowsDigest> rows = source.data.rows_of(*entry->second);
    const schema::Relation* into = relation.load_via_root != 0 ? catalog.relation(relation.load_via_root) : &relation;
    if (!rows || into == nullptr) continue;
    tables.try_emplace(into->oid, RestoredTable{.table = *into, .rows = {}}).first->second.rows += *rows;
  }
  std::vector<RestoredTable> result;
  for (auto& [oid, restored] : tables) result.push_back(std::move(restored));
  return result;
}

std::optional<std::string> warn_of_target_of_archive(const ArchivedSource& source, const pg::Connection& target) {
  const schema::Archive& archive = source.data.archive();
  if (pg::release_of(target.server_version()) >= pg::release_of(schema::server_version_of(archive)))
    return std::nullopt;
  return fmt::format(
      "target: PostgreSQL {} is older than the server that the archive was made of ({}): what it does not know of the "
      "definitions will be missing",
      target.server_version_text(), archive.server_version);
}

pg::SnapshotMark mark_of_archive(const ArchivedSource& source) {
  return {.snapshot = {.name = "archive",
                       .text = source.data.identity(),
                       .system_identifier = "archive " + source.data.identity()},
          .database = source.data.archive().database,
          .timeline = "",
          .log_position = "",
          .checkpointer_started = ""};
}

std::map<schema::Oid, Bytes> tables_in_frames(const ArchivedSource& source) {
  std::map<schema::Oid, Bytes> tables;
  for (const auto& [table, entry] : source.entries.tables) {
    if (!source.data.has_frames(*entry)) continue;
    tables[table] = {static_cast<std::int64_t>(source.data.content_size(*entry))};
  }
  return tables;
}

}  // namespace pgsluice::pipeline
