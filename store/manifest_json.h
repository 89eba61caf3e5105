// How the manifest and the journal write what they both describe.
#pragma once

#include <nlohmann/json.hpp>

#include "store/manifest.h"

namespace pgsluice::store {

nlohmann::ordered_json to_json(const ArchivedTable& table);
nlohmann::ordered_json to_json(const ArchivedLargeObject& object);
/// Each throws nlohmann::json::exception or Error(kConfig) for another object.
ArchivedTable table_of(const nlohmann::ordered_json& json);
ArchivedLargeObject large_object_of(const nlohmann::ordered_json& json);
/// The member "name". Throws Error(kConfig) for one that leads out of the folder.
std::string file_name_of(const nlohmann::ordered_json& json);

}  // namespace pgsluice::store
