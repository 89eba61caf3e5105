#include "pgsluice/schema/drops.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace pgsluice::schema {

namespace {

// Of those behind the data, what does not go with its table or would keep it from going.
constexpr std::array<std::string_view, 3> kApartFromTables = {"FK CONSTRAINT", "EVENT TRIGGER", "PUBLICATION"};
constexpr std::array<std::string_view, 4> kStay = {"SCHEMA", "EXTENSION", "PROCEDURAL LANGUAGE", "SUBSCRIPTION"};

template <std::size_t N>
bool is_one_of(std::string_view kind, const std::array<std::string_view, N>& kinds) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

bool insert_behind(std::string& text, std::string_view words, std::size_t from = 0) {
  const std::size_t at = text.find(words, from);
  if (at == std::string::npos) return false;
  text.insert(at + words.size(), "IF EXISTS ");
  return true;
}

// Empty for what is not dropped by itself.
std::string if_exists(const TocEntry& entry) {
  std::string text = entry.drop_statement;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.rfind("ALTER ", 0) == 0) {
    if (text.rfind("ALTER TABLE ", 0) == 0) insert_behind(text, "ALTER TABLE ");
    if (entry.kind == "DEFAULT") return text;
    return insert_behind(text, " DROP CONSTRAINT ") ? text : "";
  }
  const std::string kind = entry.kind == "SHELL TYPE" ? "TYPE" : entry.kind;
  const std::string drop = "DROP " + kind + " ";
  return text.rfind(drop, 0) == 0 && insert_behind(text, drop) ? text : "";
}

}  // namespace

std::vector<std::string> drop_statements(const Archive& archive, const RestoreOptions& options) {
  std::vector<std::string> statements;
  for (auto entry = archive.entries.rbegin(); entry != archive.entries.rend(); ++entry) {
    if (entry->pass() == RestorePass::kAcl || !is_restored(*entry, options) || is_one_of(entry->kind, kStay)) continue;
    if (entry->section == Section::kPostData && !is_one_of(entry->kind, kApartFromTables)) continue;
    std::string text = if_exists(*entry);
    if (!text.empty()) statements.push_back(std::move(text));
  }
  return statements;
}

}  // namespace pgsluice::schema
