#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "pgsluice/migration/control.h"
#include "pgsluice/migration/migration.h"

namespace pgsluice::migration {

/// The resource as users and programs see it, and as it is stored.
nlohmann::ordered_json to_document(const Migration& migration);

/// Its validationDetails.
nlohmann::ordered_json to_document(const ValidationDetails& details);

nlohmann::ordered_json to_document(const NameAvailability& name);

/// One document as text. What servers say need not be UTF-8: such bytes are replaced.
std::string to_text(const nlohmann::ordered_json& document, int indent = -1);
std::string to_text(const Migration& migration);

/// Throws Error(kState) for a document that to_document() has not written.
Migration from_document(const std::string& document);

/// "2026-11-23T07:05:10Z"; empty for no time.
std::string format_time(const std::optional<Time>& time);

}  // namespace pgsluice::migration
