#pragma once

#include <filesystem>

namespace pgsluice::migration {

/// Makes the folder of a store, for its user alone, and the folders in it.
///
/// @throws Error(kState) if that is not possible, or if a folder that exists already belongs to another user (unless
///         this process is root's) or may be written to by any user of the machine: they could direct its migrations.
void make_store_folders(const std::filesystem::path& folder);

}  // namespace pgsluice::migration
