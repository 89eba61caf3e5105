#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgsluice {

// Complaints about a value, to stand after "--table-jobs" or "tableJobs:"; empty if the value is right.

/// "takes a whole number from 1 to 256, not many"
std::string complaint_about_number(std::string_view text, std::int64_t min, std::int64_t max);

enum class LetterCase { kMatters, kIgnored };
/// "takes auto, text or binary, not csv"
std::string complaint_about_word(std::string_view text, const std::vector<std::string>& words,
                                 LetterCase letter_case = LetterCase::kMatters);

}  // namespace pgsluice
