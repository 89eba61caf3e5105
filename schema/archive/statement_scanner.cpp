#include "schema/archive/statement_scanner.h"

#include <algorithm>

namespace pgsluice::schema {

namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// Where a quoted text or another character ends.
std::size_t token_end(std::string_view text, std::size_t at) {
  const char quote = text[at];
  if (quote != '\'' && quote != '"') return at + 1;
  const bool escapes = quote == '\'' && at > 0 && (text[at - 1] == 'E' || text[at - 1] == 'e');
  for (++at; at < text.size(); ++at) {
    if (escapes && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (at + 1 < text.size() && text[at + 1] == quote) {
        ++at;
      } else {
        return at + 1;
      }
    }
  }
  return text.size();
}

}  // namespace

std::optional<std::string> StatementScanner::next_statement() {
  skip_between();
  if (rest_.empty()) return std::nullopt;
  std::size_t at = 0;
  while (at < rest_.size() && rest_[at] != ';') at = token_end(rest_, at);
  std::string statement(rest_.substr(0, at));
  rest_.remove_prefix(std::min(at + 1, rest_.size()));
  return statement;
}

std::vector<std::string> StatementScanner::tokens(std::string_view statement) {
  std::vector<std::string> result;
  for (std::size_t at = 0; at < statement.size();) {
    if (is_space(statement[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < statement.size() && !is_space(statement[end])) end = token_end(statement, end);
    result.emplace_back(statement.substr(at, end - at));
    at = end;
  }
  return result;
}

void StatementScanner::skip_between() {
  while (!rest_.empty()) {
    if (is_space(rest_.front())) {
      rest_.remove_prefix(1);
    } else if (rest_.front() == '\\' || rest_.starts_with("--")) {
      rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
    } else {
      return;
    }
  }
}

}  // namespace pgsluice::schema
