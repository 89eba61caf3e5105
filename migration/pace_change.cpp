#include "migration/pace_change.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "pgsluice/error.h"

namespace pgsluice::migration {

using pipeline::PaceChange;

namespace {

constexpr const char* kMaxRate = "maxRate";
constexpr const char* kMaxSourceSessions = "maxSourceSessions";
constexpr const char* kPaused = "paused";
constexpr const char* kNone = "none";

std::optional<Bytes> read_rate(PropertiesObject& object) {
  if (object.is_text(kMaxRate, kNone)) return Bytes{};
  try {
    const std::optional<std::int64_t> number = object.integer(kMaxRate);
    return number ? std::optional(Bytes{*number}) : std::nullopt;
  } catch (const Error&) {
    // It is a text then.
  }
  const std::optional<std::string> text = object.text(kMaxRate);
  try {
    return parse_bytes(text.value_or(""));
  } catch (const Error& error) {
    object.refuse(kMaxRate, error.what());
  }
}

}  // namespace

PaceChange read_pace_change(PropertiesObject& object) {
  PaceChange change{.max_rate = read_rate(object), .max_source_sessions = std::nullopt, .paused = std::nullopt};
  if (object.is_text(kMaxSourceSessions, kNone)) {
    change.max_source_sessions = 0;
  } else if (const std::optional<std::int64_t> sessions = object.integer(kMaxSourceSessions)) {
    if (*sessions < 0 || *sessions > INT32_MAX)
      object.refuse(kMaxSourceSessions, "takes a number of sessions, or none");
    change.max_source_sessions = static_cast<int>(*sessions);
  }
  change.paused = object.boolean(kPaused);
  object.require_all_known();
  try {
    pipeline::check_pace(change.of({}));
  } catch (const Error& error) {
    throw Error(ErrorKind::kConfig, error.what());
  }
  return change;
}

std::string to_text(const PaceChange& change) {
  nlohmann::json document = nlohmann::json::object();
  if (change.max_rate) document[kMaxRate] = change.max_rate->count;
  if (change.max_source_sessions) document[kMaxSourceSessions] = *change.max_source_sessions;
  if (change.paused) document[kPaused] = *change.paused;
  return document.dump();
}

PaceChange pace_change_from(const std::string& text) {
  PropertiesObject object = PropertiesObject::parse(text);
  return read_pace_change(object);
}

}  // namespace pgsluice::migration
