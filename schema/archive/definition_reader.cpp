#include "schema/archive/definition_reader.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "pg/quote.h"

namespace pgsluice::schema {

namespace {

bool is_white(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

// Bytes of other than ASCII too, which are letters to PostgreSQL.
bool is_of_name(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) != 0 || c == '_' || c == '$' || byte >= 0x80;
}

// Where a text that begins with a quote ends; npos where it does not.
std::size_t end_of_quoted(std::string_view text) {
  const char quote = text.front();
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] != quote) continue;
    if (at + 1 < text.size() && text[at + 1] == quote) {
      ++at;
    } else {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

}  // namespace

void DefinitionReader::skip_spaces() {
  while (!rest_.empty() && is_white(rest_.front())) rest_.remove_prefix(1);
}

bool DefinitionReader::take(std::string_view words) {
  const std::string_view before = rest_;
  while (!words.empty()) {
    skip_spaces();
    const std::size_t end = std::min(words.find(' '), words.size());
    const std::string_view word = words.substr(0, end);
    words.remove_prefix(std::min(end + 1, words.size()));
    const bool is_whole = rest_.starts_with(word) &&
                          (rest_.size() == word.size() || !is_of_name(word.back()) || !is_of_name(rest_[word.size()]));
    if (!is_whole) {
      rest_ = before;
      return false;
    }
    rest_.remove_prefix(word.size());
  }
  return true;
}

std::optional<std::string> DefinitionReader::literal() {
  const std::string_view before = rest_;
  skip_spaces();
  const std::size_t end = rest_.starts_with('\'') ? end_of_quoted(rest_) : std::string_view::npos;
  if (end == std::string_view::npos) {
    rest_ = before;
    return std::nullopt;
  }
  std::string value;
  for (std::size_t at = 1; at + 1 < end; ++at) {
    value += rest_[at];
    if (rest_[at] == '\'') ++at;  // which is doubled
  }
  rest_.remove_prefix(end);
  return value;
}

std::optional<std::string> DefinitionReader::name() {
  const std::string_view before = rest_;
  skip_spaces();
  std::size_t end = 0;
  if (rest_.starts_with('"')) {
    end = end_of_quoted(rest_);
  } else {
    while (end < rest_.size() && is_of_name(rest_[end])) ++end;
  }
  if (end == 0 || end == std::string_view::npos) {
    rest_ = before;
    return std::nullopt;
  }
  std::string result = pg::unquote_identifier(rest_.substr(0, end));
  rest_.remove_prefix(end);
  return result;
}

std::optional<QualifiedName> DefinitionReader::qualified_name() {
  const std::string_view before = rest_;
  std::optional<std::string> first = name();
  if (!first) return std::nullopt;
  if (!rest_.starts_with('.')) return QualifiedName{"", std::move(*first)};
  rest_.remove_prefix(1);
  std::optional<std::string> second = name();
  if (second) return QualifiedName{std::move(*first), std::move(*second)};
  rest_ = before;
  return std::nullopt;
}

std::vector<std::string> DefinitionReader::names_in_parentheses() {
  const std::string_view before = rest_;
  std::vector<std::string> names;
  if (take("(")) {
    do {
      std::optional<std::string> next = name();
      if (!next) break;
      names.push_back(std::move(*next));
    } while (take(","));
    if (!names.empty() && take(")")) return names;
  }
  rest_ = before;
  return {};
}

std::optional<std::string_view> DefinitionReader::in_parentheses() {
  const std::string_view before = rest_;
  skip_spaces();
  if (rest_.starts_with('(')) {
    int depth = 0;
    for (std::size_t at = 0; at < rest_.size();) {
      if (rest_[at] == '"' || rest_[at] == '\'') {
        const std::size_t end = end_of_quoted(rest_.substr(at));
        if (end == std::string_view::npos) break;
        at += end;
        continue;
      }
      if (rest_[at] == '(') ++depth;
      if (rest_[at] == ')' && --depth == 0) {
        const std::string_view result = rest_.substr(1, at - 1);
        rest_.remove_prefix(at + 1);
        return result;
      }
      ++at;
    }
  }
  rest_ = before;
  return std::nullopt;
}

}  // namespace pgsluice::schema
