#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "pgsluice/pace.h"

namespace pgsluice::tools {

/// The pace of a copy that is at work, in lines.
std::string pace_text(const pipeline::CurrentPace& current);
/// JSON with `max_rate` (bytes a second, 0: no limit), `max_source_sessions` and `paused`; `paused_for_s` and
/// `snapshot_age_s` are null where there is no such time.
nlohmann::ordered_json pace_document(const pipeline::CurrentPace& current);

}  // namespace pgsluice::tools
