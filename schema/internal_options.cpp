#include "pgsluice/schema/internal_options.h"

#include <string_view>

namespace pgsluice::schema {

namespace {

constexpr std::string_view kSet = " SET (";

// A line "ALTER TABLE ONLY public.t ALTER COLUMN c SET (n_distinct=5, pg_attver=7);".
bool sets_options_of_column(std::string_view line) {
  return (line.starts_with("ALTER TABLE ") || line.starts_with("ALTER FOREIGN TABLE ") ||
          line.starts_with("ALTER MATERIALIZED VIEW ") || line.starts_with("ALTER VIEW ")) &&
         line.find(" ALTER COLUMN ") != std::string_view::npos && line.ends_with(");");
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

bool is_relation(std::string_view kind) {
  return kind == "TABLE" || kind == "FOREIGN TABLE" || kind == "VIEW" || kind == "MATERIALIZED VIEW";
}

// Without the options that are not the user's; the line itself where it sets none.
std::string line_of_users(std::string_view line) {
  const std::size_t set = line.rfind(kSet);
  if (set == std::string_view::npos || !sets_options_of_column(line)) return std::string(line);
  const std::string kept = options_of_users(line.substr(set + kSet.size(), line.size() - set - kSet.size() - 2));
  if (kept.empty()) return "";
  return std::string(line.substr(0, set + kSet.size())) + kept + ");";
}

// Whether a quoted name or literal is open behind a line that begins inside of one or not. Quotes are doubled in both.
char quote_after(std::string_view line, char quote) {
  for (const char c : line) {
    if (quote != 0 ? c == quote : (c == '\'' || c == '"')) quote = quote != 0 ? '\0' : c;
  }
  return quote;
}

}  // namespace

std::string without_internal_options(std::string definition, std::string_view kind) {
  if (!is_relation(kind) || definition.find(kSet) == std::string::npos) return definition;
  std::string result;
  char quote = 0;
  for (std::size_t begin = 0; begin < definition.size();) {
    const std::size_t newline = definition.find('\n', begin);
    const std::size_t end = newline == std::string::npos ? definition.size() : newline;
    const std::string_view line = std::string_view(definition).substr(begin, end - begin);
    begin = newline == std::string::npos ? end : end + 1;
    const bool is_comment = quote == 0 && line.starts_with("--");
    const std::string kept = quote != 0 ? std::string(line) : line_of_users(line);
    if (!is_comment) quote = quote_after(line, quote);
    if (kept.empty() && !line.empty()) continue;
    result += kept;
    if (newline != std::string::npos) result += '\n';
  }
  return result;
}

}  // namespace pgsluice::schema
