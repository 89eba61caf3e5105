#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pgsluice/archive.h"
#include "pgsluice/archive_verification.h"
#include "pgsluice/server_archive.h"
#include "store/manifest.h"

namespace pgsluice::tools {

/// Describes what would be written; of several databases, one after the other.
std::string archive_plan_text(const std::vector<pipeline::ArchivePlan>& plans);
std::string archive_plan_json(const std::vector<pipeline::ArchivePlan>& plans);

/// Describes what was written, for a person and for a program.
std::string archive_summary_text(const pipeline::ArchiveSummary& summary, const std::string& folder);
std::string archive_summary_json(const pipeline::ArchiveSummary& summary);

std::string server_archive_summary_text(const pipeline::ServerArchiveSummary& summary);
std::string server_archive_summary_json(const pipeline::ServerArchiveSummary& summary);

/// Returns what an archive holds; the JSON is its manifest.
std::string manifest_text(const store::Manifest& manifest);
std::string manifest_json(const std::filesystem::path& folder);

/// Describes a server's archive, with the archives of its databases. Throws Error(kConfig).
std::string server_manifest_text(const std::filesystem::path& folder);
std::string server_manifest_json(const std::filesystem::path& folder);

/// Returns what was found of an archive's damage.
std::string damage_text(const std::vector<store::Damage>& found, const store::VerificationProgress& progress);
std::string damage_json(const std::vector<store::Damage>& found);

}  // namespace pgsluice::tools
