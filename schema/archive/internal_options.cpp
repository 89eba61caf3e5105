#include "schema/archive/internal_options.h"

#include <algorithm>
#include <string_view>

namespace pgsluice::schema {

namespace {

constexpr std::string_view kSet = " SET (";

// A statement "ALTER TABLE ONLY public.t ALTER COLUMN c SET (n_distinct=5, pg_attver=7);".
bool sets_options_of_column(std::string_view statement) {
  return (statement.starts_with("ALTER TABLE ") || statement.starts_with("ALTER FOREIGN TABLE ") ||
          statement.starts_with("ALTER MATERIALIZED VIEW ") || statement.starts_with("ALTER VIEW ")) &&
         statement.find(" ALTER COLUMN ") != std::string_view::npos && statement.ends_with(");");
}

// The options that a user can set, as they stand in the list.
std::string options_of_users(std::string_view list) {
  std::string kept;
  while (!list.empty()) {
    const std::size_t comma = list.find(", ");
    const std::string_view option = list.substr(0, comma);
    if (option.starts_with("n_distinct")) kept += (kept.empty() ? "" : ", ") + std::string(option);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 2);
  }
  return kept;
}

}  // namespace

namespace {

bool is_relation(const EntryKind& kind) {
  return kind.is_one_of({EntryKind::kTable, EntryKind::kForeignTable, EntryKind::kView, EntryKind::kMaterializedView});
}

// Without the options that are not the user's; empty where it sets no others.
std::string statement_of_users(std::string_view statement) {
  const std::size_t set = statement.rfind(kSet);
  if (set == std::string_view::npos || !sets_options_of_column(statement)) return std::string(statement);
  const std::string kept =
      options_of_users(statement.substr(set + kSet.size(), statement.size() - set - kSet.size() - 2));
  if (kept.empty()) return "";
  return std::string(statement.substr(0, set + kSet.size())) + kept + ");";
}

// Where the statement that begins there ends, with its semicolon. Names and literals may hold line ends and semicolons;
// quotes are doubled in both. A line that is a comment ends by itself.
std::size_t end_of_statement(std::string_view text, std::size_t begin) {
  char quote = 0;
  for (std::size_t at = begin; at < text.size(); ++at) {
    const char c = text[at];
    if (quote == 0 && text.compare(at, 2, "--") == 0 && (at == 0 || text[at - 1] == '\n')) {
      at = std::min(text.find('\n', at), text.size());
    } else if (quote != 0 ? c == quote : (c == '\'' || c == '"')) {
      quote = quote != 0 ? '\0' : c;
    } else if (quote == 0 && c == ';') {
      return at + 1;
    }
  }
  return text.size();
}

}  // namespace

std::string without_internal_options(std::string definition, const EntryKind& kind) {
  if (!is_relation(kind) || definition.find(kSet) == std::string::npos) return definition;
  std::string result;
  for (std::size_t begin = 0; begin < definition.size();) {
    const std::size_t end = end_of_statement(definition, begin);
    const std::string_view text = std::string_view(definition).substr(begin, end - begin);
    const std::size_t first = std::min(text.find_first_not_of('\n'), text.size());
    const std::string kept = statement_of_users(text.substr(first));
    if (!kept.empty() || first == text.size()) result += std::string(text.substr(0, first)) + kept;
    begin = end;
  }
  return result;
}

void leave_out_persistence_of_sequences(Archive& archive) {
  for (TocEntry& entry : archive.entries) {
    std::string& definition = entry.definition;
    if (entry.kind != EntryKind::kSequence || definition.find("\n    SEQUENCE NAME ") == std::string::npos) continue;
    for (const std::string_view word : {"\n    LOGGED", "\n    UNLOGGED"}) {
      const std::size_t at = definition.find(std::string(word) + "\n    START WITH ");
      if (at != std::string::npos) definition.erase(at, word.size());
    }
  }
}

}  // namespace pgsluice::schema
