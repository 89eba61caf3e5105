#pragma once

#include <nlohmann/json.hpp>

#include "pgsluice/migration/properties.h"

namespace pgsluice::migration {

/// Reads the object "engine" of a properties file: the long options of `clone`, with or without hyphens and whatever
/// their case ("table-jobs" or "tableJobs"). Throws Error(kUsage) for an option that is none, or is none of a
/// migration's, and for those that name files of this machine where they come from elsewhere.
pipeline::CloneOptions engine_options(const nlohmann::json& engine, PropertiesContext::Origin origin);

}  // namespace pgsluice::migration
