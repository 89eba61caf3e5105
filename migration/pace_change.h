#pragma once

#include <string>

#include "migration/properties_object.h"
#include "pgsluice/pace.h"

namespace pgsluice::migration {

/// Takes a change of pace out of an object: {"maxRate": "50 MB", "maxSourceSessions": 5, "paused": true}, each at will.
/// A rate may be a number of bytes; "none" lifts a limit. Throws Error(kConfig) that names the key.
pipeline::PaceChange read_pace_change(PropertiesObject& object);

/// For the store.
std::string to_text(const pipeline::PaceChange& change);
pipeline::PaceChange pace_change_from(const std::string& text);

}  // namespace pgsluice::migration
