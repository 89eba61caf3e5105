#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace pgsluice::migration {

/// Tables and indexes of a migration's databases that are being copied and built, and the slowest of those that are
/// done: [{"database","kind","name","bytes","state","seconds"}], kind "rows" or "index", state "running" or "done"; at
/// most
/// 20. `work_folder` is the migration's.
nlohmann::ordered_json tables_document(const std::filesystem::path& work_folder,
                                       const std::vector<std::string>& databases);

}  // namespace pgsluice::migration
