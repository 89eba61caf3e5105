#include "tools/pgsluice/pace_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/duration.h"

namespace pgsluice::tools {

using pipeline::CurrentPace;

std::string pace_text(const CurrentPace& current) {
  std::string text = describe(current.pace) + "\n";
  if (current.paused_for) text += fmt::format("paused for {}\n", format_duration(*current.paused_for));
  if (current.snapshot_age) {
    text += fmt::format("the source's snapshot is {} old\n", format_duration(*current.snapshot_age));
  }
  return text;
}

nlohmann::ordered_json pace_document(const CurrentPace& current) {
  const auto seconds = [](const std::optional<std::chrono::nanoseconds>& time) {
    return time ? nlohmann::ordered_json(std::chrono::duration<double>(*time).count()) : nlohmann::ordered_json();
  };
  return {{"max_rate", current.pace.max_rate.count},
          {"max_source_sessions", current.pace.max_source_sessions},
          {"paused", current.pace.paused},
          {"paused_for_s", seconds(current.paused_for)},
          {"snapshot_age_s", seconds(current.snapshot_age)}};
}

}  // namespace pgsluice::tools
