#include "schema/archive/archive.h"

#include <algorithm>
#include <cctype>

#include "pg/quote.h"

namespace pgsluice::schema {

RestorePass TocEntry::pass() const {
  if (kind.is_one_of({EntryKind::kAcl, EntryKind::kAclLanguage, EntryKind::kDefaultAcl})) return RestorePass::kAcl;
  if (kind.is_one_of({EntryKind::kEventTrigger, EntryKind::kMaterializedViewData})) return RestorePass::kPostAcl;
  // Comments and labels go with their object.
  const bool of_event_trigger = tag.rfind("EVENT TRIGGER ", 0) == 0;
  if ((kind.is_one_of({EntryKind::kComment, EntryKind::kSecurityLabel})) && of_event_trigger)
    return RestorePass::kPostAcl;
  return RestorePass::kMain;
}

std::string TocEntry::describe() const {
  std::string result;
  for (char c : kind.words()) result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (kind.is_one_of({EntryKind::kComment, EntryKind::kAcl})) result += " on";
  result += ' ';
  if (schema && !schema->empty()) result += pg::display_name("", *schema) + ".";
  std::string name = tag;
  std::replace(name.begin(), name.end(), '\n', ' ');
  return result + name;
}

std::string_view suffix_of(ArchiveCompression compression) {
  switch (compression) {
    case ArchiveCompression::kNone:
      return "";
    case ArchiveCompression::kGzip:
      return ".gz";
    case ArchiveCompression::kLz4:
      return ".lz4";
    case ArchiveCompression::kZstd:
      return ".zst";
  }
  return "";
}

std::string_view Archive::definition_of(EntryKind kind) const {
  for (const TocEntry& entry : entries) {
    if (entry.kind == kind) return entry.definition;
  }
  return {};
}

}  // namespace pgsluice::schema
