#include "pipeline/plan/entry_filter.h"

#include <set>
#include <string_view>

#include "pg/quote.h"

namespace pgsluice::pipeline {

namespace {

using schema::EntryKind;

using Names = std::set<std::string, std::less<>>;

bool is_about(const schema::TocEntry& entry, std::string_view kind, const Names& names) {
  return entry.tag.rfind(kind, 0) == 0 &&
         names.contains(pg::unquote_identifier(std::string_view(entry.tag).substr(kind.size())));
}

}  // namespace

std::optional<std::string> reason_to_leave_out(const schema::TocEntry& entry,
                                               const schema::TargetInventory& inventory) {
  constexpr const char* kThere = "on the target already, taken as it is";
  if (entry.kind == EntryKind::kSchema && entry.tag != "public" && inventory.schemas.contains(entry.tag)) return kThere;
  if (entry.kind == EntryKind::kExtension && inventory.extensions.contains(entry.tag)) return kThere;

  const bool about_another = entry.kind.is_one_of({EntryKind::kComment, EntryKind::kSecurityLabel, EntryKind::kAcl});
  if (about_another && (is_about(entry, "EXTENSION ", inventory.others_extensions) ||
                        is_about(entry, "SCHEMA ", inventory.others_schemas))) {
    return "owned by another role on the target";
  }
  return std::nullopt;
}

}  // namespace pgsluice::pipeline
