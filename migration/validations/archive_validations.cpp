#include "migration/validations/archive_validations.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <set>
#include <utility>

#include "migration/validations/target_findings.h"
#include "pg/quote.h"
#include "pg/version.h"
#include "pgsluice/error.h"
#include "pipeline/prepare/archived_server.h"
#include "schema/archive/entry_sql.h"
#include "schema/catalog/archived_catalog.h"

namespace pgsluice::migration {

namespace {

std::string display(const ArchiveToValidate& archive) { return pg::display_name("", archive.database.name); }

bool is_of_superusers(const schema::TocEntry& entry) {
  using schema::EntryKind;
  if (entry.kind.is_one_of({EntryKind::kProceduralLanguage, EntryKind::kEventTrigger, EntryKind::kOperatorClass,
                            EntryKind::kOperatorFamily})) {
    return true;
  }
  return entry.kind == EntryKind::kPublication && entry.definition.find(" FOR ALL TABLES") != std::string::npos;
}

std::set<std::string> tablespaces_of(const ArchiveToValidate& archive) {
  std::set<std::string> tablespaces;
  if (!archive.database.tablespace.empty()) tablespaces.insert(archive.database.tablespace);
  for (const schema::TocEntry& entry : archive.definitions.archive.entries) {
    if (entry.tablespace && !entry.tablespace->empty()) tablespaces.insert(*entry.tablespace);
  }
  return tablespaces;
}

void find_needed_roles(const ArchiveToValidate& archive, const schema::RestoreOptions& restore,
                       std::map<std::string, NeededRole>& needed) {
  for (const schema::RoleUse& use : archive.definitions.catalog.roles) {
    const bool is_wanted = use.is_named || (use.owns && restore.owners) || (use.is_granted && restore.acls);
    if (!is_wanted) continue;
    NeededRole& role = needed[use.name];
    role.databases.insert(display(archive));
    role.owns = role.owns || (use.owns && restore.owners);
  }
  if (!restore.owners) return;
  for (const schema::TocEntry& entry : archive.definitions.archive.entries) {
    if (entry.owner.empty() || schema::owner_sql(entry).empty()) continue;
    NeededRole& role = needed[entry.owner];
    role.databases.insert(display(archive));
    role.owns = true;
    if (role.example.empty()) role.example = entry.describe();
  }
}

}  // namespace

std::vector<ArchiveToValidate> open_archives(const ValidationRequest& request) {
  std::vector<ArchiveToValidate> archives;
  for (pipeline::ArchivedDatabase& archived : pipeline::find_archived_databases(request.archive, request.databases)) {
    pipeline::ResolvedOptions options(request.engine);
    auto source = std::make_shared<const pipeline::ArchivedSource>(archived.archive);
    pipeline::require_copy_statements(*source);
    if (!pipeline::has_definitions(*source)) {
      throw Error(ErrorKind::kConfig, "it has rows without the definitions of their tables (pg_dump --data-only)")
          .object(archived.archive.string())
          .hint("migrate from an archive that has both, or restore this one by 'archive restore'");
    }
    pipeline::Definitions definitions = pipeline::read_archived_definitions(*source);
    pipeline::select_from_archive(definitions, options, {});
    archives.push_back(
        {.database = std::move(archived.database), .source = std::move(source), .definitions = std::move(definitions)});
  }
  return archives;
}

void describe_archives(const std::vector<ArchiveToValidate>& archives, Validation& validation) {
  for (const ArchiveToValidate& archive : archives) {
    const store::ArchiveData& data = archive.source->data;
    const std::string what = fmt::format("source: {}, the database {} of PostgreSQL {}", data.path().string(),
                                         data.archive().database, data.archive().server_version);
    if (data.manifest() != nullptr) {
      note(validation, fmt::format("{}, archived by pgsluice {}", what, data.manifest()->created));
    } else {
      warn(validation, fmt::format("{}, by pg_dump {}: it does not tell how many rows it should have, so that only "
                                   "those that are in it are counted",
                                   what, data.archive().dump_version));
    }
  }
}

Validation validate_archived_versions(const TargetContext& context, const std::vector<ArchiveToValidate>& archives) {
  Validation validation;
  for (const ArchiveToValidate& archive : archives) {
    const schema::Archive& of = archive.source->data.archive();
    if (pg::release_of(context.target.server_version()) < pg::release_of(schema::server_version_of(of))) {
      warn(validation,
           fmt::format("database {}: the target is of version {}, older than the archive's server ({}): what it does "
                       "not know of the definitions will be missing; choose a target of the same or a later version",
                       display(archive), context.target.server_version_text(), of.server_version));
    }
  }
  if (validation.state() == ValidationState::kSucceeded) {
    note(validation, fmt::format("target {}", context.target.server_version_text()));
  }
  return validation;
}

Validation validate_parameters_for_archives(const TargetContext& context,
                                            const std::vector<ArchiveToValidate>& archives) {
  Validation validation;
  ExtensionsInUse used;
  for (const ArchiveToValidate& archive : archives) {
    for (const auto& [extension, schema] : archive.definitions.catalog.extensions) {
      used[extension].insert(display(archive));
    }
  }
  if (context.request.engine.extensions) find_extensions_to_be_allowed(context, used, validation);
  find_missing_sessions(context, context.target, validation);
  note(validation, "server parameters are not compared: an archive does not have those of its server");
  return validation;
}

Validation validate_archived_roles(const TargetContext& context, const std::vector<ArchiveToValidate>& archives) {
  Validation validation;
  find_missing_rights(context, validation);
  std::map<std::string, NeededRole> needed;
  for (const ArchiveToValidate& archive : archives) {
    find_needed_roles(archive, context.request.engine.restore, needed);
    if (!context.request.roles) continue;
    try {
      pipeline::read_archived_roles(*archive.source);
    } catch (const Error& error) {
      fail(validation, fmt::format("database {}: {}; {}", display(archive), error.what(), error.hint()));
    }
  }
  find_missing_roles(context, needed, validation);
  return validation;
}

Validation validate_archived_schema(const TargetContext& context, const ArchiveToValidate& archive) {
  Validation validation;
  if (!is_superuser(context.target)) {
    for (const schema::TocEntry& entry : archive.definitions.archive.entries) {
      if (!is_of_superusers(entry)) continue;
      fail(validation, fmt::format("{}: the target's user is no superuser, and may not make it; leave it out (engine: "
                                   "filters) and have a superuser make it afterwards",
                                   entry.describe()));
    }
  }
  if (!context.request.engine.restore.tablespaces) return validation;
  for (const std::string& tablespace : tablespaces_of(archive)) {
    const std::array<std::string, 1> name = {tablespace};
    if (!context.target.execute("SELECT FROM pg_catalog.pg_tablespace WHERE spcname = $1", name).empty()) continue;
    fail(validation,
         fmt::format("tablespace {}: missing on the target; CREATE TABLESPACE {} LOCATION '…', or do without (engine: "
                     "noTablespaces)",
                     pg::display_name("", tablespace), pg::quote_identifier(tablespace)));
  }
  return validation;
}

Validation validate_archived_extensions(const TargetContext& context, const ArchiveToValidate& archive) {
  Validation validation;
  if (!context.request.engine.extensions) {
    note(validation, "extensions are left out (skipExtensions): those that are needed have to be on the target");
    return validation;
  }
  for (const schema::TocEntry& entry : archive.definitions.archive.entries) {
    if (entry.kind != schema::EntryKind::kExtension) continue;
    find_extension_trouble(context, entry.tag, fmt::format("extension {}", pg::display_name("", entry.tag)),
                           validation);
  }
  return validation;
}

Validation validate_archived_collations(const TargetContext& context, const ArchiveToValidate& archive) {
  Validation validation;
  find_missing_locale(context, "LC_COLLATE", archive.database.collate, validation);
  find_missing_locale(context, "LC_CTYPE", archive.database.ctype, validation);
  return validation;
}

Validation validate_space_for_archives(const TargetContext& context, const std::vector<ArchiveToValidate>& archives) {
  Validation validation;
  Bytes size;
  for (const ArchiveToValidate& archive : archives) size += archive.database.size;
  find_missing_space(context, size, validation);
  return validation;
}

}  // namespace pgsluice::migration
