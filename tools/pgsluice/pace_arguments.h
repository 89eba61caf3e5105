#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "pgsluice/pace.h"

namespace pgsluice::tools {

/// A change of pace, as a command line has it.
struct PaceArguments {
  std::string max_rate;  ///< "none" for no limit, as for sessions
  std::string max_source_sessions;
  bool pause = false;
  bool go_on = false;
};

/// --max-rate, --max-source-sessions, --pause, --continue.
std::vector<CLI::Option*> add_pace_options(CLI::App& command, PaceArguments& args);

pipeline::PaceChange change_of(const PaceArguments& args);

}  // namespace pgsluice::tools
