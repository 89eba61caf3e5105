#pragma once

#include <string>

#include "pipeline/run/run_state.h"

namespace pgsluice::tools {

/// Returns what a run that has ended has done, as JSON with pgcopydb's keys (0.18: its summary.json), and ours besides.
/// For a state that has a summary.
std::string run_summary_json(const pipeline::RunState& state);

}  // namespace pgsluice::tools
