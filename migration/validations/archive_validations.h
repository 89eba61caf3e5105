#pragma once

#include <memory>
#include <string>
#include <vector>

#include "migration/validations/validations.h"
#include "pgsluice/database.h"
#include "pipeline/prepare/archived_source.h"
#include "pipeline/prepare/definitions.h"

namespace pgsluice::migration {

// The validations of a migration whose source is an archive: the same types as those with a server, as far as an
// archive tells what they ask.

/// A database in an archive.
struct ArchiveToValidate {
  schema::Database database;
  std::shared_ptr<const pipeline::ArchivedSource> source;
  pipeline::Definitions definitions;  ///< without what the options leave out
};

/// Opens the archives of the request's databases. Throws Error(kConfig, kState) for those that cannot be restored.
std::vector<ArchiveToValidate> open_archives(const ValidationRequest& request);

/// Notes what each archive is, and whether it tells what its rows have to be.
void describe_archives(const std::vector<ArchiveToValidate>& archives, Validation& validation);

Validation validate_archived_versions(const TargetContext& context, const std::vector<ArchiveToValidate>& archives);
Validation validate_parameters_for_archives(const TargetContext& context,
                                            const std::vector<ArchiveToValidate>& archives);
Validation validate_archived_roles(const TargetContext& context, const std::vector<ArchiveToValidate>& archives);
Validation validate_archived_schema(const TargetContext& context, const ArchiveToValidate& archive);
Validation validate_archived_extensions(const TargetContext& context, const ArchiveToValidate& archive);
Validation validate_archived_collations(const TargetContext& context, const ArchiveToValidate& archive);
Validation validate_space_for_archives(const TargetContext& context, const std::vector<ArchiveToValidate>& archives);

}  // namespace pgsluice::migration
