#include "schema/archive/archive.h"

#include <algorithm>
#include <cctype>

#include "pg/quote.h"

namespace pgsluice::schema {

RestorePass TocEntry::pass() const {
  if (kind == "ACL" || kind == "ACL LANGUAGE" || kind == "DEFAULT ACL") return RestorePass::kAcl;
  if (kind == "EVENT TRIGGER" || kind == "MATERIALIZED VIEW DATA") return RestorePass::kPostAcl;
  // Comments and labels go with their object.
  const bool of_event_trigger = tag.rfind("EVENT TRIGGER ", 0) == 0;
  if ((kind == "COMMENT" || kind == "SECURITY LABEL") && of_event_trigger) return RestorePass::kPostAcl;
  return RestorePass::kMain;
}

std::string TocEntry::describe() const {
  std::string result;
  for (char c : kind) result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (kind == "COMMENT" || kind == "ACL") result += " on";
  result += ' ';
  if (schema && !schema->empty()) result += pg::display_name("", *schema) + ".";
  std::string name = tag;
  std::replace(name.begin(), name.end(), '\n', ' ');
  return result + name;
}

std::string_view Archive::definition_of(std::string_view kind) const {
  for (const TocEntry& entry : entries) {
    if (entry.kind == kind) return entry.definition;
  }
  return {};
}

}  // namespace pgsluice::schema
