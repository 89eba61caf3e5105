#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "copy/row_ranges.h"

namespace pgsluice::tools {

/// Checks of options' values, which say what is wanted: "--retry-for takes whole numbers from 0, not 1m".
CLI::Validator whole_number(std::int64_t least, std::int64_t most = INT32_MAX);
/// One of some words; `ignoring_case`: in whatever case.
CLI::Validator one_of(std::vector<std::string> words, bool ignoring_case = false);

/// Accepts the values that parse_split() understands.
CLI::Validator split_size();
/// --split-tables-larger-than: "auto", a size, or 0 for never. Throws Error(kUsage).
copy::SplitOptions parse_split(const std::string& larger_than, int max_parts = 0, bool by_ctid = true);

/// Takes flags, and options with a value, as pgcopydb does, where they change nothing; not in --help. Those that the
/// command has stay as they are.
void take_without_effect(CLI::App& command, const std::vector<std::string>& flags,
                         const std::vector<std::string>& options);

}  // namespace pgsluice::tools
