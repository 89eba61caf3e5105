#pragma once

#include <string>

#include "pgsluice/error.h"
#include "pgsluice/server_clone.h"
#include "pgsluice/summary.h"

namespace pgsluice::tools {

/// Reports of what a clone has done, for a person and for a program.
std::string summary_text(const pipeline::CloneSummary& summary);
std::string summary_json(const pipeline::CloneSummary& summary);
/// Like the above, for all databases of a server.
std::string server_summary_text(const pipeline::ServerSummary& summary);
std::string server_summary_json(const pipeline::ServerSummary& summary);
/// For a clone that could not start or continue.
std::string error_json(const Error& error, bool target_changed);

}  // namespace pgsluice::tools
