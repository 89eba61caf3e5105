#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace pgsluice::tools {

/// Checks of options' values, which say what is wanted: "--retry-for takes whole numbers from 0, not 1m".
CLI::Validator whole_number(std::int64_t least, std::int64_t most = INT32_MAX);
/// One of some words; `ignoring_case`: in whatever case.
CLI::Validator one_of(std::vector<std::string> words, bool ignoring_case = false);

}  // namespace pgsluice::tools
