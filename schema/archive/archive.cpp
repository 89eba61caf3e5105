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

namespace {

std::string lower(std::string_view words) {
  std::string result;
  for (const char c : words) result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

// The words of a tag such as "MATERIALIZED VIEW totals" that name the kind of the object; empty if it begins with none.
std::string_view kind_in(std::string_view tag) {
  std::string_view found;
  for (std::size_t blank = tag.find(' '); blank != std::string_view::npos; blank = tag.find(' ', blank + 1)) {
    const std::string_view words = tag.substr(0, blank);
    const bool is_kind = EntryKind(words).known() != EntryKind::kOther;
    if (is_kind || words == "COLUMN" || words == "LARGE OBJECT" || words == "LANGUAGE") found = words;
  }
  return found;
}

}  // namespace

std::string TocEntry::describe() const {
  std::string result = lower(kind.words()) + " ";
  std::string_view name = tag;
  if (kind.is_one_of({EntryKind::kComment, EntryKind::kAcl, EntryKind::kSecurityLabel})) {
    const std::string_view of = kind_in(tag);
    result += "on ";
    if (!of.empty()) result += lower(of) + " ";
    name.remove_prefix(of.empty() ? 0 : of.size() + 1);
  }
  if (schema && !schema->empty()) result += pg::display_name("", *schema) + ".";
  std::string one_line(name);
  std::replace(one_line.begin(), one_line.end(), '\n', ' ');
  return result + one_line;
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
