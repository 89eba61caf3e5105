#pragma once

#include <nlohmann/json.hpp>

#include "pgsluice/pipeline/clone.h"

namespace pgsluice::tools {

/// Reads the object "engine" of a properties file: the long options of `clone`, with or without hyphens and whatever
/// their case ("table-jobs" or "tableJobs"). Throws Error(kUsage) for an option that is none, or is none of a
/// migration's.
pipeline::CloneOptions engine_options(const nlohmann::json& engine);

}  // namespace pgsluice::tools
