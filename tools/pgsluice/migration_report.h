#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pgsluice/migration/migration.h"
#include "pipeline/progress/progress.h"

namespace pgsluice::tools {

/// How a command's result is written.
enum class OutputFormat { kJson, kTable, kNone };

/// "json", "table", "none"; empty: a table on a terminal, else JSON. Throws Error(kUsage).
OutputFormat output_format(const std::string& given);

/// Each ends with a line break, or is empty. `store`: the folder of the migration's store, for a command that resumes
/// it.
std::string migration_text(const migration::Migration& migration, OutputFormat format,
                           const std::filesystem::path& store);
std::string migrations_text(const std::vector<migration::Migration>& migrations, OutputFormat format);
std::string validation_text(const migration::ValidationDetails& details, OutputFormat format);

/// How far a migration is, for a display.
pipeline::ProgressSnapshot progress_of(const migration::Migration& migration);

}  // namespace pgsluice::tools
