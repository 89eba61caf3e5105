#pragma once

#include <chrono>
#include <string>

namespace pgsluice {

using SteadyClock = std::chrono::steady_clock;

/// For people: "0.42 s", "12.3 s", "4m12s", "3h05m".
std::string format_duration(std::chrono::nanoseconds duration);

}  // namespace pgsluice
