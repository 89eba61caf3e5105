#pragma once

#include <string>
#include <vector>

#include "pipeline/compare/data_comparison.h"
#include "pipeline/compare/schema_comparison.h"
#include "pipeline/plan/plan.h"
#include "pipeline/progress/summary.h"
#include "pipeline/server_clone.h"

namespace pgsluice::tools {

/// What would be done, for a person and for a program.
std::string plan_text(const pipeline::Plan& plan);
std::string plan_json(const pipeline::Plan& plan);

/// What was done.
std::string summary_text(const pipeline::CloneSummary& summary);
std::string summary_json(const pipeline::CloneSummary& summary);
/// Like the above, for all databases of a server.
std::string server_plan_text(const std::vector<pipeline::PlannedDatabase>& databases);
std::string server_plan_json(const std::vector<pipeline::PlannedDatabase>& databases);
std::string server_summary_text(const pipeline::ServerSummary& summary);
std::string server_summary_json(const pipeline::ServerSummary& summary);
/// For a clone that did not come to its end.
std::string error_json(const Error& error, bool target_changed);

/// How two databases compare. The JSON has pgcopydb's keys, and more.
std::string comparison_text(const pipeline::ComparedData& data);
std::string comparison_json(const pipeline::ComparedData& data);
std::string schema_comparison_text(const pipeline::SchemaComparison& comparison);
std::string schema_comparison_json(const pipeline::SchemaComparison& comparison);

}  // namespace pgsluice::tools
