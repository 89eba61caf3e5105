#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/complaints.h"

namespace pgsluice::tools {

/// Checks of options' values, which say what is wanted: "--retry-for takes whole numbers from 0, not 1m".
CLI::Validator whole_number(std::int64_t least, std::int64_t most = INT32_MAX);
/// One of some words.
CLI::Validator one_of(std::vector<std::string> words, LetterCase letter_case = LetterCase::kMatters);

/// A value of --split-tables-larger-than.
CLI::Validator split_size();

/// Takes flags, and options with a value, as pgcopydb does, where they change nothing; not in --help. Those that the
/// command has stay as they are.
void take_without_effect(CLI::App& command, const std::vector<std::string>& flags,
                         const std::vector<std::string>& options);

}  // namespace pgsluice::tools
