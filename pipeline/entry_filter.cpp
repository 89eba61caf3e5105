#include "pgsluice/pipeline/entry_filter.h"

#include <set>
#include <string_view>

namespace pgsluice::pipeline {

namespace {

using Names = std::set<std::string, std::less<>>;

// A name as a tag writes it: quoted where it needs to be.
std::string unquoted(std::string_view name) {
  if (name.size() < 2 || name.front() != '"') return std::string(name);
  std::string result;
  for (std::size_t i = 1; i + 1 < name.size(); ++i) {
    result += name[i];
    if (name[i] == '"') ++i;
  }
  return result;
}

bool is_about(const schema::TocEntry& entry, std::string_view kind, const Names& names) {
  return entry.tag.rfind(kind, 0) == 0 && names.contains(unquoted(std::string_view(entry.tag).substr(kind.size())));
}

}  // namespace

std::optional<std::string> reason_to_leave_out(const schema::TocEntry& entry,
                                               const schema::TargetInventory& inventory) {
  constexpr const char* kThere = "on the target already, taken as it is";
  if (entry.kind == "SCHEMA" && entry.tag != "public" && inventory.schemas.contains(entry.tag)) return kThere;
  if (entry.kind == "EXTENSION" && inventory.extensions.contains(entry.tag)) return kThere;

  const bool about_another = entry.kind == "COMMENT" || entry.kind == "SECURITY LABEL" || entry.kind == "ACL";
  if (about_another && (is_about(entry, "EXTENSION ", inventory.others_extensions) ||
                        is_about(entry, "SCHEMA ", inventory.others_schemas))) {
    return "owned by another role on the target";
  }
  return std::nullopt;
}

}  // namespace pgsluice::pipeline
