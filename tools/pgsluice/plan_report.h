#pragma once

#include <string>
#include <vector>

#include "pgsluice/plan.h"
#include "pgsluice/server_clone.h"

namespace pgsluice::tools {

/// Reports of what a clone would do, for a person and for a program.
std::string plan_text(const pipeline::ClonePlan& plan);
std::string plan_json(const pipeline::ClonePlan& plan);
/// Like the above, for all databases of a server.
std::string server_plan_text(const std::vector<pipeline::PlannedDatabase>& databases);
std::string server_plan_json(const std::vector<pipeline::PlannedDatabase>& databases);

}  // namespace pgsluice::tools
